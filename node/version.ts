/** Which Galaxy this node speaks like: that of its web client. Clients decide by it what they may ask for. */
export const GALAXY_VERSION = { major: '25.1', minor: '2' } as const;
