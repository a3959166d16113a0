/** /api/notifications: this node sends none. The client asks regularly, and reads these shapes. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { FastifyInstance } from 'fastify';
import { requireAccount } from './auth.js';

type Schemas = components['schemas'];

export function notificationRoutes(app: FastifyInstance): void {
  app.get('/api/notifications', async (request): Promise<Schemas['UserNotificationListResponse']> => {
    requireAccount(request);
    return [];
  });
  app.get(
    '/api/notifications/status',
    async (): Promise<Schemas['NotificationStatusSummary']> => ({
      total_unread_count: 0,
      notifications: [],
      broadcasts: [],
    }),
  );
  app.get('/api/notifications/broadcast', async (): Promise<Schemas['BroadcastNotificationListResponse']> => []);
  app.get('/api/notifications/preferences', async (request): Promise<Schemas['UserNotificationPreferences']> => {
    requireAccount(request);
    return { preferences: {} };
  });
}
