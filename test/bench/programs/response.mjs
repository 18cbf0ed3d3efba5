const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKED_END = Buffer.from('0\r\n\r\n');

/** How many bytes of the buffer the first whole response takes; 0 while it is not whole. */
export function responseLength(buffer) {
  const headEnd = buffer.indexOf(HEAD_END);
  if (headEnd < 0) return 0;
  const head = buffer.toString('latin1', 0, headEnd).toLowerCase();
  const at = head.indexOf('content-length:');
  if (at >= 0) {
    const total = headEnd + 4 + Number.parseInt(head.slice(at + 15), 10);
    return buffer.length >= total ? total : 0;
  }
  const end = buffer.indexOf(CHUNKED_END, headEnd + 4);
  return end < 0 ? 0 : end + CHUNKED_END.length;
}
