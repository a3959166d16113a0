/** /api/tool_panels: there is one view, the toolbox's own sections. */
import type { Routes } from './context.js';
import { apiErrors } from './errors.js';
import { panelView } from './serializers/tool-panel.js';

const DEFAULT_VIEW = {
  id: 'default',
  model_class: 'StaticToolPanelView',
  name: 'Full Tool Panel',
  description: null,
  view_type: 'default_type',
  searchable: true,
};

export const toolPanelRoutes: Routes<'toolbox'> = (app, { toolbox }) => {
  app.get('/api/tool_panels', async () => ({ default_panel_view: 'default', views: { default: DEFAULT_VIEW } }));
  app.get('/api/tool_panels/:view', async (request) => {
    const { view } = request.params as { view: string };
    if (view !== 'default') throw apiErrors('not-found', { what: 'tool panel view', id: view });
    return panelView(toolbox);
  });
};
