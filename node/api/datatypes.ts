/** /api/datatypes: what kinds of data there are and which is a kind of which. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Datatype, Datatypes } from '../datasets/datatypes.js';
import type { ApiDeps } from './context.js';
import { apiErrors } from './errors.js';
import { flag, parse } from './validation.js';

type Schemas = components['schemas'];
type Details = Schemas['DatatypeDetails'];
type Mapping = Schemas['DatatypesMap'];

const listQuery = z.object({ extension_only: flag.default(true), upload_only: flag.default(true) });
const mappingQuery = z.object({ upload_only: flag.default(true) });

export function datatypeRoutes(app: FastifyInstance, deps: Pick<ApiDeps, 'datatypes'>): void {
  const { datatypes } = deps;

  app.get('/api/datatypes', async (request): Promise<string[] | Details[]> => {
    const query = parse(listQuery, request.query);
    const shown = choose(datatypes, query.upload_only);
    return query.extension_only ? shown.map((datatype) => datatype.extension) : shown.map(details);
  });
  app.get('/api/datatypes/mapping', async () => mapping(datatypes));
  app.get('/api/datatypes/types_and_mapping', async (request): Promise<Schemas['DatatypesCombinedMap']> => {
    const query = parse(mappingQuery, request.query);
    return {
      datatypes: choose(datatypes, query.upload_only).map((datatype) => datatype.extension),
      datatypes_mapping: mapping(datatypes),
    };
  });
  // Galaxy names the classes that sniff, in the order tried. Ours are tried most special first.
  app.get('/api/datatypes/sniffers', async () => unique(datatypes.all().map((datatype) => datatype.className)));
  app.get('/api/datatypes/converters', async (): Promise<Schemas['DatatypeConverter'][]> => []);

  for (const [path, field] of [
    ['edam_formats', 'edamFormat'],
    ['edam_data', 'edamData'],
  ] as const) {
    const named = () => datatypes.all().filter((datatype) => datatype[field] !== undefined);
    app.get(`/api/datatypes/${path}`, async () =>
      Object.fromEntries(named().map((datatype) => [datatype.extension, datatype[field]])),
    );
    app.get(
      `/api/datatypes/${path}/detailed`,
      async (): Promise<Schemas['DatatypesEDAMDetailsDict']> =>
        Object.fromEntries(
          named().map((datatype) => [
            datatype.extension,
            { prefix_IRI: datatype[field] ?? '', label: datatype.description || datatype.extension, definition: null },
          ]),
        ),
    );
  }

  app.get('/api/datatypes/:datatype', async (request) => details(known(datatypes, request.params)));
  app.get('/api/datatypes/:datatype/visualizations', async (request) => {
    known(datatypes, request.params);
    return [];
  });
}

function choose(datatypes: Datatypes, uploadOnly: boolean): Datatype[] {
  const shown = datatypes.all().filter((datatype) => !uploadOnly || datatype.displayInUpload);
  return shown.sort((a, b) => (a.extension < b.extension ? -1 : 1));
}

function details(datatype: Datatype): Details {
  return {
    extension: datatype.extension,
    description: datatype.description,
    description_url: null,
    display_in_upload: datatype.displayInUpload,
    composite_files: null,
    upload_warning: null,
    display_behavior: /^(text|application\/json)/.test(datatype.mimetype) ? 'inline' : 'download',
  };
}

/** Galaxy's client asks "is this class a kind of that one", by class names. */
function mapping(datatypes: Datatypes): Mapping {
  const extToClass: Mapping['ext_to_class_name'] = {};
  const classes: Mapping['class_to_classes'] = {};
  for (const datatype of datatypes.all()) {
    extToClass[datatype.extension] = datatype.className;
    const kinds = classes[datatype.className] ?? {};
    classes[datatype.className] = kinds;
    kinds[datatype.className] = true;
    for (const parent of datatype.parents) {
      const className = datatypes.get(parent)?.className;
      if (className !== undefined) kinds[className] = true;
    }
  }
  return { ext_to_class_name: extToClass, class_to_classes: classes };
}

function known(datatypes: Datatypes, params: unknown): Datatype {
  const { datatype } = params as { datatype: string };
  const found = datatypes.get(datatype);
  if (!found) throw apiErrors('no-such', { what: 'datatype', id: datatype });
  return found;
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)];
}
