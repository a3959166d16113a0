/** `<requirements>`: what must be there for the tool to run: packages, containers, resources. */
import { unsupported } from '../errors.js';
import type { Note } from '../loaded.js';
import { elements, flag, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';

export interface Requirement {
  name: string;
  version: string | undefined;
  /** `package`, `docker`, `singularity`, …, in the wrapper's words. */
  type: string;
}

export interface Container {
  type: 'docker' | 'singularity';
  /** An image, or for singularity a path or `docker://` image. */
  image: string;
}

/** `<resource type="cores_min">4</resource>` → cores_min: 4. A text that is no number is kept as it is. */
export type Resources = Readonly<Record<string, number | string>>;

export interface Requirements {
  requirements: Requirement[];
  containers: Container[];
  resources: Resources;
}

const RESOURCES = new Set([
  'cores_min',
  'cores_max',
  'ram_min',
  'ram_max',
  'tmpdir_min',
  'tmpdir_max',
  'cuda_version_min',
  'cuda_compute_capability',
  'gpu_memory_min',
  'cuda_device_count_min',
  'cuda_device_count_max',
  'shm_size',
]);

/** Of other times: they mean a program or module that is there or is not. */
const OLD_TYPES = new Set(['package', 'binary', 'python-module', 'set_environment', 'fabfile']);

export function parseRequirements(parent: XmlElement | undefined, notes: Note[]): Requirements {
  const requirements: Requirement[] = [];
  const containers: Container[] = [];
  const resources: Record<string, number | string> = {};
  for (const child of elements(parent)) {
    const text = textOf(child).trim();
    switch (child.name) {
      case 'requirement': {
        const { type = 'package', version } = child.attributes;
        if (!OLD_TYPES.has(type)) notes.push(note(child, `the requirement type "${type}" is not known`));
        if (text === '') notes.push(note(child, 'a <requirement> that names nothing is left out'));
        else if (type === 'set_environment') {
          notes.push(
            note(child, `the requirement set_environment "${text}" is left out: it named a file of the Tool Shed`),
          );
        } else requirements.push({ name: text, version: version?.trim() || undefined, type });
        break;
      }
      case 'container': {
        const { type = 'docker' } = child.attributes;
        if (type !== 'docker' && type !== 'singularity') {
          notes.push(note(child, `a container of type "${type}" is left out; it is docker or singularity`));
        } else if (text === '') notes.push(note(child, 'a <container> that names no image is left out'));
        else {
          containers.push({ type, image: text });
          requirements.push({ name: text, version: undefined, type });
        }
        break;
      }
      case 'resource': {
        const { type = '' } = child.attributes;
        if (!RESOURCES.has(type)) notes.push(note(child, `the resource "${type}" is not known`));
        const number = Number(text);
        if (text !== '' && type !== '__proto__') resources[type] = Number.isNaN(number) ? text : number;
        break;
      }
      case 'credentials':
        if (!flag(child.attributes.optional, false)) throw unsupported('<credentials>', child);
        notes.push(note(child, 'the optional <credentials> are left out: this node keeps no secrets for tools'));
        break;
      default:
        notes.push(note(child, `<${child.name}> in <requirements> is not known`));
    }
  }
  return { requirements, containers, resources };
}

function note({ file, line }: XmlElement, message: string): Note {
  return { file, line, message };
}
