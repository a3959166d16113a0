/**
 * The receipt beside the data it speaks of. It says what was true when it was issued: at the next start it is moved
 * aside, so that nobody deletes a folder that holds something new on the word of an old receipt.
 */
import { renameSync } from 'node:fs';
import { type DataFolder, writeDurably } from '../../protocol/runtime/data-folder.js';

export const RECEIPT_FILE = 'receipt.txt';
export const FORMER_RECEIPT_FILE = 'receipt-no-longer-valid.txt';

export interface ReceiptKeeper {
  save(receipt: string): void;
  retire(): void;
  /** Where people find it. */
  readonly path: string;
}

export class ReceiptFile implements ReceiptKeeper {
  constructor(private readonly folder: Pick<DataFolder, 'path' | 'file'>) {}

  get path(): string {
    return this.folder.file(RECEIPT_FILE);
  }

  save(receipt: string): void {
    writeDurably(this.folder.path, RECEIPT_FILE, `${receipt.trim()}\n`, 0o644);
  }

  retire(): void {
    try {
      renameSync(this.path, this.folder.file(FORMER_RECEIPT_FILE));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
