/**
 * /dataset/get_edit and /dataset/set_edit: the client's page "Edit Dataset Attributes", which is older than Galaxy's API.
 *
 * The page shows what `{message, status}` says and nothing of an answer that is an error: to it all of these read "Unable to
 * save dataset attributes". So a wish that is refused is answered with 200 and `danger`; what is no wish of hers (an id of
 * nothing, a call that the page does not make) is an error as everywhere.
 */
import { z } from 'zod';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { attributeChange, attributesOf } from '../datasets/attributes.js';
import type { DatasetChange } from '../datasets/datasets.js';
import { datasetErrors } from '../datasets/errors.js';
import type { DatasetFacts } from '../datasets/facts.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { genomeBuilds } from './genomes.js';
import { datasetForms, NO_CONVERSION, NO_PERMISSIONS } from './serializers/dataset-edit.js';
import { entityId, parse } from './validation.js';

const editQuery = z.object({ dataset_id: entityId });
const editBody = z.looseObject({
  dataset_id: entityId,
  operation: z.enum(['attributes', 'autodetect', 'datatype', 'datatype_detect', 'conversion', 'permission']),
});
const one = <S extends z.ZodType>(schema: S) => z.union([schema, z.tuple([schema]).transform(([value]) => value)]);
const attributesForm = z.looseObject({
  name: z.string().trim().min(1).max(1024).optional(),
  info: z.string().max(4096).nullish(),
  annotation: z.string().max(65_535).nullish(),
  dbkey: one(z.string().min(1).max(255)).nullish(),
});
const datatypeForm = z.object({ datatype: one(z.string().min(1).max(255)) });

interface Said {
  message: string;
  status: 'success' | 'info' | 'danger';
}

type Uses = 'datasets' | 'datatypes';
type Form = z.output<typeof editBody>;

export const datasetEditRoutes: Routes<Uses> = (app, deps) => {
  const { datasets, datatypes } = deps;

  app.get('/dataset/get_edit', async (request) => {
    const { view } = requireAccount(request);
    return datasetForms(
      editable(datasets.get(view, parse(editQuery, request.query).dataset_id)),
      datatypes,
      genomeBuilds(),
    );
  });

  app.put('/dataset/set_edit', async (request): Promise<Said> => {
    const { account, view } = requireAccount(request);
    const form = parse(editBody, request.body);
    const facts = datasets.get(view, form.dataset_id);
    try {
      return await edit(deps, account, editable(facts), form);
    } catch (error) {
      if (isDomainError(error) && isRefusal(error.code)) return { message: describeError(error), status: 'danger' };
      throw error;
    }
  });
};

function edit({ datasets, datatypes }: Pick<ApiDeps, Uses>, account: string, facts: DatasetFacts, form: Form) {
  const operations: Record<Form['operation'], () => Promise<Said> | Said> = {
    async attributes() {
      const change = attributesChange(facts, form, datatypes);
      if (Object.keys(change).length === 0) return { message: 'There was nothing to change.', status: 'info' };
      await datasets.update(account, facts.id, change);
      return success('Attributes updated.');
    },
    async autodetect() {
      await datasets.detectMetadata(account, facts.id);
      return success('The attributes of the datatype were read from the dataset again.');
    },
    async datatype() {
      const { datatype } = parse(datatypeForm, form);
      if (facts.content === undefined) {
        throw datasetErrors('not-ready', { name: facts.record.name, state: facts.state });
      }
      const { extension } = await datasets.update(account, facts.id, { extension: datatype });
      return success(`Changed the type to ${extension}.`);
    },
    async datatype_detect() {
      const { extension } = await datasets.detectDatatype(account, facts.id);
      if (extension === facts.extension) return success(`The type was detected: it is ${extension}, as it was.`);
      return success(`The type was detected and changed to ${extension}.`);
    },
    conversion: () => ({ message: NO_CONVERSION, status: 'danger' }),
    permission: () => ({ message: NO_PERMISSIONS, status: 'danger' }),
  };
  return operations[form.operation]();
}

/** Only what differs from what is so already: what is saved stands against what a later look at the bytes would say. */
function attributesChange(facts: DatasetFacts, form: Form, datatypes: ApiDeps['datatypes']): DatasetChange {
  const { name, info, annotation, dbkey } = parse(attributesForm, form);
  const { change: metadata, problem } = attributeChange(facts, attributesOf(facts.extension, datatypes), form);
  if (problem !== undefined) throw apiErrors('bad-parameter', { parameter: problem.name, reason: problem.reason });
  const note = annotation === undefined ? undefined : annotation || null;
  return {
    ...(name === undefined || name === facts.record.name ? {} : { name }),
    ...(info === undefined || (info ?? '') === facts.info ? {} : { info: info ?? '' }),
    ...(note === undefined || note === (facts.record.annotation ?? null) ? {} : { annotation: note }),
    ...(dbkey == null || dbkey === facts.genomeBuild ? {} : { genomeBuild: dbkey }),
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

function editable(facts: DatasetFacts): DatasetFacts {
  if (facts.purged) throw datasetErrors('is-purged', { name: facts.record.name });
  return facts;
}

function success(message: string): Said {
  return { message, status: 'success' };
}

/** Of her wish, not of the call. */
function isRefusal(code: string): boolean {
  return code === 'api/bad-parameter' || (code.startsWith('datasets/') && code !== 'datasets/not-found');
}
