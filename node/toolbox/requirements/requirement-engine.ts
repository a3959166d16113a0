/** The container programs that a node can use, and what their own programs need of the node's environment. */

export const ENGINES = ['podman', 'docker', 'apptainer', 'singularity'] as const;
export type Engine = (typeof ENGINES)[number];

/** Whether it has a store of images by name, and can be told to fetch none. The others run files. */
export function keepsImages(engine: Engine): engine is 'podman' | 'docker' {
  return engine === 'podman' || engine === 'docker';
}

/**
 * Where engines find their configuration, their store and their service. By name, because some of their variables add
 * folders to every container (`APPTAINER_BIND`), and others of the node's environment are secrets.
 */
const VARIABLES = [
  ...['HOME', 'USER', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'DBUS_SESSION_BUS_ADDRESS'],
  ...['CONTAINERS_CONF', 'CONTAINERS_STORAGE_CONF', 'CONTAINERS_REGISTRIES_CONF', 'REGISTRY_AUTH_FILE'],
  ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
  ...['APPTAINER_CACHEDIR', 'APPTAINER_TMPDIR', 'APPTAINER_CONFIGDIR', 'SINGULARITY_CACHEDIR', 'SINGULARITY_TMPDIR'],
];

export function engineEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of VARIABLES) {
    const value = environment[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}
