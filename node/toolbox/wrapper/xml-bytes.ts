/**
 * A file's bytes → text: by byte order mark, else by what the XML declaration says, else UTF-8. Bytes that are not in
 * that encoding are refused, never replaced by question marks that would then stand in a command.
 */
import { malformed } from '../errors.js';

export const WRAPPER_BYTES_MAX = 4 * 1024 * 1024;

const ENCODINGS: ReadonlyMap<string, string> = new Map([
  ['utf-8', 'utf-8'],
  ['utf8', 'utf-8'],
  ['us-ascii', 'utf-8'],
  ['ascii', 'utf-8'],
  ['iso-8859-1', 'latin1'],
  ['latin-1', 'latin1'],
  ['latin1', 'latin1'],
  ['windows-1252', 'windows-1252'],
]);

/** Throws `toolbox/wrapper`. */
export function decodeXml(bytes: Uint8Array, file: string): string {
  if (bytes.length > WRAPPER_BYTES_MAX) {
    throw malformed(`it is larger than ${WRAPPER_BYTES_MAX} bytes`, { file, line: 1 });
  }
  const encoding = encodingOf(bytes, file);
  try {
    // Latin-1 proper: what TextDecoder calls so is windows-1252, which has letters where the standard has controls.
    if (encoding === 'latin1') return Buffer.from(bytes).toString('latin1');
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw malformed(`its bytes are not ${encoding}`, { file, line: 1 });
  }
}

function encodingOf(bytes: Uint8Array, file: string): string {
  const [a, b, c, d] = bytes;
  const bits32 = (a === 0 && b === 0) || (a === 0xff && b === 0xfe && c === 0 && d === 0);
  if (bits32) throw malformed('it is encoded in UTF-32; save it as UTF-8', { file, line: 1 });
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) throw malformed('it is encoded in UTF-16BE; save it as UTF-8', { file, line: 1 });
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a !== 0x3c || b !== 0x3f) return 'utf-8';
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  const said = /^<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']/.exec(head)?.[1];
  if (said === undefined) return 'utf-8';
  const known = ENCODINGS.get(said.toLowerCase());
  if (!known) throw malformed(`it is encoded in ${said}; save it as UTF-8`, { file, line: 1 });
  return known;
}
