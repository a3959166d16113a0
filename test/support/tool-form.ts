/** A tool's form as the client gets it (`/api/tools/{id}/build`): what its fields offer. */

export interface FormField {
  name: string;
  type: string;
  options?: { hda?: { id: string }[] } | unknown[];
  cases?: { value: string; inputs: FormField[] }[];
}

/** Ids of the datasets that a field offers; the way to it is `field`, or `conditional, case, field`. */
export function offered(fields: readonly FormField[], ...way: string[]): string[] {
  const [name, choice, ...rest] = way;
  const field = fields.find((one) => one.name === name);
  if (field === undefined) throw new Error(`the form has no field ${name}`);
  if (choice !== undefined) return offered(field.cases?.find(({ value }) => value === choice)?.inputs ?? [], ...rest);
  const { hda: datasets = [] } = field.options as { hda?: { id: string }[] };
  return datasets.map(({ id }) => id).sort();
}
