/** What services say of themselves, retained, from bytes to checked values. */

import { type Status, statusSchema } from '../schema/generated/status.ts';
import { documentReader } from './document-reader.ts';

/** A status, or undefined. */
export const parseStatus = documentReader<Status>(statusSchema, { what: 'status' });
