/**
 * A request body that is JSON, a form, or a form with files. Files are streamed to the upload folder while the form is
 * read; whoever asked for them hands them on or gives them back.
 */
import type { FastifyRequest } from 'fastify';
import type { UploadedFile, Uploads } from '../datasets/uploads.js';
import { apiErrors, FILE_LIMIT } from './errors.js';

export interface FormBody {
  fields: Record<string, unknown>;
  /** By field name. */
  files: Map<string, UploadedFile>;
}

export async function readForm(request: FastifyRequest, uploads: Pick<Uploads, 'receive'>): Promise<FormBody> {
  const files = new Map<string, UploadedFile>();
  if (!request.isMultipart()) {
    const { body } = request;
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw apiErrors('malformed-body', { reason: 'it is not an object' });
    }
    return { fields: body as Record<string, unknown>, files };
  }
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'field') fields[part.fieldname] = part.value;
      else {
        const file = await uploads.receive(part.filename ?? '', part.file);
        await files.get(part.fieldname)?.release();
        files.set(part.fieldname, file);
        if (part.file.truncated) throw apiErrors('too-large', { limit: FILE_LIMIT });
      }
    }
  } catch (error) {
    await releaseAll(files.values());
    throw error;
  }
  return { fields, files };
}

export async function releaseAll(files: Iterable<UploadedFile>): Promise<void> {
  for (const file of files) await file.release().catch(() => undefined);
}

/** A field that holds JSON, as forms send it; other values are passed as they are. */
export function jsonField(value: unknown, name: string): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    throw apiErrors('bad-parameter', { parameter: name, reason: 'is not valid JSON' });
  }
}
