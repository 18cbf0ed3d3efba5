/** Spelled on the wire exactly so, though HTTP does not care. */
export const REQUEST_ID_HEADER = 'X-Metad-RequestID';
export const VERSION_HEADER = 'X-Metad-Version';
