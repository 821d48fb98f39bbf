/** How long the pairing window stays open. */
export const WINDOW_SECONDS = 120;
/** How long to look for a PC. */
export const LOOK_SECONDS = 8;
export const FIND_SECONDS = 3;
