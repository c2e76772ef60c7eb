// What render/asking/document.py puts out of sight.

/** @param {string} text in base64 */
function readBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * A truth again.
 * @param {string} text
 */
export function unveil(text) {
  return new TextDecoder().decode(readBytes(text).map((byte, i) => byte ^ (73 * i + 41) % 256));
}

/**
 * A long text again.
 * @param {string} text
 * @returns {Promise<string>}
 */
export function unpack(text) {
  const stream = new Blob([readBytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}
