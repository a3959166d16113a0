/**
 * /api/configuration: what the client shows and hides. Galaxy calls this object a bag of optional things, and so do the
 * generated types; each line here was seen to be read by the client, or by BioBlend.
 */
import type { FastifyInstance } from 'fastify';
import { GALAXY_VERSION } from '../version.js';
import { requireAdmin } from './auth.js';
import type { ApiDeps, Caller } from './context.js';
import { entityIdParam } from './validation.js';

/** As TUS sends it, piece by piece; small enough to pass any proxy, large enough to be quick. */
const UPLOAD_CHUNK_BYTES = 10 * 2 ** 20;
const SOURCE_URL = 'https://galaxyproject.org/';

export function configurationRoutes(app: FastifyInstance, deps: Pick<ApiDeps, 'options' | 'identity' | 'clock'>): void {
  const startedAt = deps.clock.now();
  app.get('/api/configuration', async (request) => configurationOf(deps, request.caller, startedAt));

  app.get('/api/configuration/decode/:id', async (request) => {
    requireAdmin(request);
    // An id has no other form here. The client shows it; BioBlend hands it back.
    return { decoded_id: entityIdParam(request.params) };
  });
  app.get('/api/configuration/encode/:id', async (request) => {
    requireAdmin(request);
    return { encoded_id: entityIdParam(request.params) };
  });
  app.get('/api/configuration/dynamic_tool_confs', async (request) => {
    requireAdmin(request);
    return [];
  });
}

export function configurationOf(
  deps: Pick<ApiDeps, 'options' | 'identity'>,
  caller: Pick<Caller, 'admin'>,
  startedAt: number,
) {
  const { options, identity } = deps;
  return {
    brand: options.brand || identity.name,
    version_major: GALAXY_VERSION.major,
    version_minor: GALAXY_VERSION.minor,
    version_extra: {},
    is_admin_user: caller.admin,
    server_startttime: Math.floor(startedAt / 1000),

    require_login: true,
    single_user: false,
    allow_user_creation: options.allowRegistration,
    allow_local_account_creation: options.allowRegistration,
    allow_user_deletion: true,
    allow_user_dataset_purge: true,
    allow_user_impersonation: false,
    disable_local_accounts: false,
    enable_account_interface: true,
    enable_oidc: false,
    oidc: {},
    prefer_custos_login: false,
    fixed_delegated_auth: false,
    use_remote_user: null,
    remote_user_logout_href: null,
    post_user_logout_href: '/login/start',
    registration_warning_message: '',
    mailing_join_addr: null,
    server_mail_configured: false,
    expose_user_email: false,
    cookie_domain: null,
    terms_url: null,
    show_welcome_with_login: false,

    logo_url: '/',
    logo_src: '/static/favicon.svg',
    logo_src_secondary: null,
    welcome_url: '/welcome',
    themes: {},
    default_locale: 'auto',
    default_panel_view: 'default',
    panel_views: {},
    edam_panel_views: [],
    toolbox_auto_sort: true,
    inactivity_box_content: '',
    message_box_visible: false,
    message_box_content: null,
    message_box_class: 'info',

    wiki_url: SOURCE_URL,
    helpsite_url: 'https://help.galaxyproject.org/',
    help_forum_api_url: '',
    support_url: 'https://galaxyproject.org/support/',
    citation_url: 'https://galaxyproject.org/citing-galaxy',
    quota_url: '',
    lims_doc_url: '',
    screencasts_url: '',
    genomespace_ui_url: '',
    instance_resource_url: '',
    release_doc_base_url: 'https://docs.galaxyproject.org/en/release_',

    chunk_upload_size: UPLOAD_CHUNK_BYTES,
    max_file_size: options['uploads.sizeMaxBytes'],
    nginx_upload_path: null,
    ftp_upload_site: null,
    hide_upload: false,
    upload_from_form_button: 'always-off',
    user_library_import_dir_available: false,
    library_import_dir: null,
    datatypes_disable_auto: false,
    file_sources_configured: false,

    enable_quotas: false,
    object_store_allows_id_selection: false,
    object_store_ids_allowing_selection: [],
    object_store_always_respect_user_selection: false,
    enable_celery_tasks: false,
    enable_notification_system: false,
    enable_tool_recommendations: false,
    enable_tool_source_display: false,
    enable_unique_workflow_defaults: false,
    enable_beacon_integration: false,
    enable_beta_markdown_export: false,
    enable_mulled_containers: false,
    enable_webhooks: false,
    interactivetools_enable: false,
    visualizations_visible: true,
    aws_estimate: false,
    carbon_emission_estimates: false,
    has_user_tool_filters: false,
    tool_training_recommendations: false,
    select_type_workflow_threshold: -1,
    simplified_workflow_run_ui: 'prefer',
    simplified_workflow_run_ui_target_history: 'current',
    simplified_workflow_run_ui_job_cache: 'off',
    install_tool_dependencies: false,
    install_repository_dependencies: false,
    install_resolver_dependencies: false,
    tool_shed_urls: [],
  };
}
