// Bars, which are drawn from a share of their track.

export const TOO_SHORT = 0.003; // share of a track below which a bar is not drawn

/**
 * A bar from the left.
 * @param {HTMLElement} bar
 * @param {number} share of its track
 */
export function setBar(bar, share) {
  bar.style.width = `${share >= TOO_SHORT ? 100 * Math.min(share, 1) : 0}%`;
}

/**
 * A bar from the middle, to the left for what is below 0.
 * @param {HTMLElement} bar
 * @param {number} value between -1 and 1
 */
export function setSlope(bar, value) {
  const size = Math.abs(value);
  bar.style.width = `${size >= TOO_SHORT ? 50 * Math.min(size, 1) : 0}%`;
  bar.style.left = value < 0 ? "auto" : "50%";
  bar.style.right = value < 0 ? "50%" : "auto";
}

/**
 * Whether there is something, though too short a bar to draw.
 * @param {number} share of its track
 */
export const isTooShort = (share) => share > 0 && share < TOO_SHORT;
