/** What sample frames say of a draft's codecs: who carries it out says it, who plans goes by it. */

import type { ValueRange } from '../../core/graph/cut-codecs.ts';
import type { Draft, RefusedCodec } from '../../core/planning/draft.ts';
import { TilepipeError } from '../../core/runtime/errors.ts';
import type { CodecLoss } from '../../core/schema/generated/announcement.ts';

export type Ranges = Readonly<Record<string, ValueRange>>;

export interface CheckedCodecs {
  /** Of the tensors that sub-models write as bytes. */
  readonly ranges: Ranges;
  /** Absent where no codec changes a value. */
  readonly loss?: CodecLoss;
}

/** Carries a draft out on sample frames. Rejects with `CodecsRefused` where its codecs lose too much. */
export type CodecCheck = (draft: Draft) => Promise<CheckedCodecs>;

/** `accuracy-refused`, and what plans must do without from then on: at least one codec that the draft has. */
export class CodecsRefused extends TilepipeError {
  readonly refused: readonly RefusedCodec[];

  constructor(message: string, refused: readonly RefusedCodec[]) {
    super('accuracy-refused', message);
    this.refused = refused;
  }
}
