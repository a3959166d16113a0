/**
 * Two kinds of what is not here. Lists of things that this node does not have: empty, which is the truth. And resources
 * of Galaxy that are not built: 501 in Galaxy's shape, so that a client can tell "not here" from "no such thing".
 */
import type { FastifyInstance } from 'fastify';

const EMPTY_LISTS = [
  '/api/webhooks',
  '/api/entry_points',
  '/api/dynamic_tools',
  '/api/object_stores',
  '/api/object_store_templates',
  '/api/object_store_instances',
  '/api/file_source_templates',
  '/api/file_source_instances',
  '/api/remote_files/plugins',
  '/api/display_applications',
  '/api/tours',
  '/api/plugins',
  '/api/cloud/authz',
] as const;

/** First parts of the paths of Galaxy's API, 25.1 (its OpenAPI document). */
const RESOURCES = new Set(
  `annotations authenticate chat cloud configuration container_resolvers dataset_collections datasets datatypes
  dependency_resolvers display_applications drs_download dynamic_tools entry_points events exports file_source_instances
  file_source_templates folders forms ftp_files genomes group_roles groups help histories interactivetools invocations
  item_tags job_files job_lock job_metrics jobs landings libraries licenses metrics my_tools notifications
  object_store_instances object_store_templates object_stores pages plugins proxy quotas remote_files roles
  sanitize_allow users sample_sheet_workbook search short_term_storage storage tags tasks tool_data tool_landings tool_panels
  tool_shed tool_shed_repositories toolshed tools tours trs_consume trs_search unprivileged_tools upload users version
  visualizations webhooks whoami workflow_landings workflows`
    .split(/\s+/)
    .filter((name) => name !== ''),
);

export function absentRoutes(app: FastifyInstance): void {
  for (const path of EMPTY_LISTS) app.get(path, async () => []);
}

/** Whether Galaxy has such a resource, and this node only lacks this call of it. */
export function isGalaxyResource(path: string): boolean {
  const resource = /^\/api\/([a-z_]+)/.exec(path)?.[1];
  return resource !== undefined && RESOURCES.has(resource);
}
