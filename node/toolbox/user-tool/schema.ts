/**
 * The shape of a `class: GalaxyUserTool` file: Galaxy's fields, and no others. What is misspelled is refused by name,
 * because a field that is silently left out is a tool that does something else.
 */
import { z } from 'zod';

const NAME = /^[A-Za-z_]\w*$/;
const name = z.string().max(255).regex(NAME, 'must be letters, digits and _, and begin with no digit');
const text = z.string().max(10_000);
const short = z.string().max(255);
const scalarText = z.union([z.string().max(255), z.number()]).transform(String);

const common = {
  name,
  label: text.nullish(),
  help: text.nullish(),
  optional: z.boolean().nullish(),
};

const said = { message: text.nullish(), negate: z.boolean().nullish() };
const bounds = { min: z.number().nullish(), max: z.number().nullish() };
const inRange = z.strictObject({
  type: z.literal('in_range'),
  ...bounds,
  exclude_min: z.boolean().nullish(),
  exclude_max: z.boolean().nullish(),
  ...said,
});
const textValidator = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('length'), ...bounds, ...said }),
  z.strictObject({ type: z.literal('regex'), expression: z.string().max(2000), ...said }),
  z.strictObject({ type: z.literal('empty_field'), ...said }),
]);
const noOptions = z.strictObject({ type: z.literal('no_options'), ...said });

const formats = z
  .union([z.string().max(2000), z.array(short).max(100)])
  .transform((value) => (typeof value === 'string' ? value : value.join(',')));

const booleanInput = z.strictObject({ type: z.literal('boolean'), ...common, value: z.boolean().nullish() });
const selectInput = z.strictObject({
  type: z.literal('select'),
  ...common,
  multiple: z.boolean().nullish(),
  options: z
    .array(z.strictObject({ label: text, value: z.string().max(2000), selected: z.boolean().nullish() }))
    .min(1)
    .max(10_000),
  validators: z.array(noOptions).max(20).nullish(),
});

const number = (type: 'integer' | 'float') => {
  const value = type === 'integer' ? z.number().int() : z.number();
  return z.strictObject({
    type: z.literal(type),
    ...common,
    value: value.nullish(),
    min: value.nullish(),
    max: value.nullish(),
    validators: z.array(inRange).max(20).nullish(),
  });
};

const plainInputs = [
  booleanInput,
  selectInput,
  number('integer'),
  number('float'),
  z.strictObject({
    type: z.literal('text'),
    ...common,
    value: z.string().max(32_768).nullish(),
    area: z.boolean().nullish(),
    validators: z.array(textValidator).max(20).nullish(),
  }),
  z.strictObject({ type: z.literal('color'), ...common, value: short.nullish() }),
  z.strictObject({ type: z.literal('data'), ...common, format: formats.nullish(), multiple: z.boolean().nullish() }),
  z.strictObject({
    type: z.literal('data_collection'),
    ...common,
    format: formats.nullish(),
    collection_type: short.nullish(),
  }),
] as const;

type PlainInput = z.output<(typeof plainInputs)[number]>;
interface Group {
  name: string;
  label?: string | null | undefined;
  help?: string | null | undefined;
  optional?: boolean | null | undefined;
}
export type UserInput =
  | PlainInput
  | (Group & {
      type: 'conditional';
      test_parameter: z.output<typeof booleanInput> | z.output<typeof selectInput>;
      whens: { discriminator: string | boolean; parameters: UserInput[] }[];
    })
  | (Group & { type: 'repeat'; parameters: UserInput[]; min?: number | null; max?: number | null })
  | (Group & { type: 'section'; parameters: UserInput[] });

const inputs: z.ZodType<UserInput[]> = z.lazy(() => z.array(input).max(500));
const within = inputs.default([]);
const count = z.number().int().min(0).max(10_000).nullish();
const input: z.ZodType<UserInput> = z.discriminatedUnion('type', [
  ...plainInputs,
  z.strictObject({
    type: z.literal('conditional'),
    ...common,
    test_parameter: z.discriminatedUnion('type', [booleanInput, selectInput]),
    whens: z
      .array(z.strictObject({ discriminator: z.union([z.boolean(), z.string()]), parameters: within }))
      .min(1)
      .max(500),
  }),
  z.strictObject({ type: z.literal('repeat'), ...common, parameters: within, min: count, max: count }),
  z.strictObject({ type: z.literal('section'), ...common, parameters: within }),
]) as unknown as z.ZodType<UserInput>;

const discover = z.strictObject({
  discover_via: z.literal('pattern').nullish(),
  pattern: z.string().max(2000),
  format: short.nullish(),
  visible: z.boolean().nullish(),
  assign_primary_output: z.boolean().nullish(),
  directory: z.string().max(1000).nullish(),
  recurse: z.boolean().nullish(),
  match_relative_path: z.boolean().nullish(),
  sort_key: z.enum(['filename', 'name', 'designation', 'dbkey']).nullish(),
  sort_comp: z.enum(['lexical', 'numeric']).nullish(),
  sort_reverse: z.boolean().nullish(),
});
const outputCommon = { name, label: text.nullish(), hidden: z.boolean().nullish() };
const output = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('data'),
    ...outputCommon,
    format: short.nullish(),
    format_source: short.nullish(),
    metadata_source: short.nullish(),
    from_work_dir: z.string().min(1).max(1000).nullish(),
    discover_datasets: z.array(discover).max(20).nullish(),
    precreate_directory: z.boolean().nullish(),
  }),
  z.strictObject({
    type: z.literal('collection'),
    ...outputCommon,
    format: short.nullish(),
    format_source: short.nullish(),
    metadata_source: short.nullish(),
    collection_type: short.nullish(),
    collection_type_source: short.nullish(),
    structured_like: short.nullish(),
    inherit_format: z.boolean().nullish(),
    discover_datasets: z.array(discover).max(20).nullish(),
  }),
]);
export type UserOutput = z.output<typeof output>;

const amount = z.number().nonnegative().nullish();
const requirement = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('javascript'), expression_lib: z.array(z.string().max(32_768)).max(20).nullish() }),
  z.strictObject({
    type: z.literal('resource'),
    cores_min: amount,
    cores_max: amount,
    ram_min: amount,
    ram_max: amount,
    tmpdir_min: amount,
    tmpdir_max: amount,
    cuda_version_min: amount,
    cuda_compute_capability: amount,
    gpu_memory_min: amount,
    cuda_device_count_min: amount,
    cuda_device_count_max: amount,
    shm_size: amount,
  }),
  z.strictObject({
    type: z.literal('container'),
    container: z.strictObject({ type: z.enum(['docker', 'singularity']), container_id: z.string().min(1).max(1000) }),
  }),
]);

const configFile = z.strictObject({
  content: z.string().max(256 * 1024),
  name: name.nullish(),
  filename: short.nullish(),
  eval_engine: z.literal('ecmascript').nullish(),
});

const helpText = z.union([
  z.string().max(100_000),
  z.strictObject({
    format: z.enum(['restructuredtext', 'plain_text', 'markdown']).default('markdown'),
    content: z.string().max(100_000),
  }),
]);

/** Read on their own (tests.ts): a test that is not understood makes no tool unusable. */
const tests = z.array(z.record(z.string(), z.unknown())).max(500).nullish();

export const userToolSchema = z.strictObject({
  class: z.literal('GalaxyUserTool'),
  id: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[A-Za-z][\w-]*$/, 'must be letters, digits, _ and -, and begin with a letter')
    .nullish(),
  name: z.string().trim().min(1).max(255),
  version: scalarText.pipe(z.string().trim().min(1)),
  description: z.string().max(1000).nullish(),
  container: z.string().trim().min(1).max(1000).nullish(),
  requirements: z.array(requirement).max(100).nullish(),
  shell_command: z
    .string()
    .min(1)
    .max(256 * 1024),
  configfiles: z.array(configFile).max(50).nullish(),
  inputs: inputs.nullish(),
  outputs: z.array(output).max(500).nullish(),
  citations: z
    .array(z.strictObject({ type: short, content: z.string().max(20_000) }))
    .max(100)
    .nullish(),
  license: short.nullish(),
  profile: scalarText.nullish(),
  edam_operations: z.array(short).max(100).nullish(),
  edam_topics: z.array(short).max(100).nullish(),
  xrefs: z
    .array(z.strictObject({ type: short, value: text }))
    .max(100)
    .nullish(),
  help: helpText.nullish(),
  tests,
});
export type UserToolFile = z.output<typeof userToolSchema>;
