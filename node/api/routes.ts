/** Every route file of the API, once. A resource is a file; a new one is a line here. */
import { absentRoutes } from './absent.js';
import { collectionRoutes } from './collections.js';
import { configurationRoutes } from './configuration.js';
import { contentsRoutes } from './contents.js';
import { datasetEditRoutes } from './dataset-edit.js';
import { datasetRoutes } from './datasets.js';
import { datatypeRoutes } from './datatypes.js';
import { displayRoutes } from './display.js';
import { genomeRoutes } from './genomes.js';
import { handOffRoutes } from './hand-off.js';
import { historyRoutes } from './histories.js';
import { historyLegacyRoutes } from './history-legacy.js';
import { jobRoutes } from './jobs.js';
import { notificationRoutes } from './notifications.js';
import type { RouteFile } from './route-file.js';
import { toolPanelRoutes } from './tool-panels.js';
import { toolRoutes } from './tools.js';
import { unprivilegedToolRoutes } from './unprivileged-tools.js';
import { uploadRoutes } from './uploads.js';
import { userFormRoutes } from './user-forms.js';
import { userKeyRoutes } from './user-keys.js';
import { userLegacyRoutes } from './user-legacy.js';
import { userRoutes } from './users.js';
import { versionRoutes } from './version.js';

export const ROUTE_FILES: readonly RouteFile[] = [
  userLegacyRoutes,
  handOffRoutes,
  userRoutes,
  userKeyRoutes,
  userFormRoutes,
  versionRoutes,
  configurationRoutes,
  datatypeRoutes,
  genomeRoutes,
  notificationRoutes,
  historyRoutes,
  historyLegacyRoutes,
  contentsRoutes,
  datasetRoutes,
  datasetEditRoutes,
  displayRoutes,
  collectionRoutes,
  uploadRoutes,
  toolRoutes,
  toolPanelRoutes,
  unprivilegedToolRoutes,
  jobRoutes,
  absentRoutes,
];
