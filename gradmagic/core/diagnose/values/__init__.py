"""Why a gradient is zero, NaN or infinite, too small or too large."""
