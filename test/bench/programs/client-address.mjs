/** The address of client number n, one of many. */
export function clientAddress(n) {
  return `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
}
