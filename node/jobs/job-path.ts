/** Where jobs find programs: the PATH of the node, which its handler processes inherit, else what every system has. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';

export function jobPath(given: string | undefined = process.env.PATH): string {
  return given ?? DEFAULT_PATH;
}
