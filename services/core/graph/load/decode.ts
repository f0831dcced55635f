/** Bytes to the messages of an ONNX file, refusing what is not one. */

import { fromBinary } from '@bufbuild/protobuf';
import { TilepipeError } from '../../runtime/errors.ts';
import { type GraphProto, type ModelProto, ModelProtoSchema } from '../onnx_pb.ts';

/** The standard operators have two names for their domain. */
export function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** The oldest operator set whose operators all mean what they mean today. */
const OLDEST_OPSET = 6;

export interface DecodedModel {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  /** By normal domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly opset: number;
}

/** Without copying weights: bytes fields are views. Throws `model-unreadable` and `model-unsupported`. */
export function decodeModel(bytes: Uint8Array): DecodedModel {
  const model = decodeBytes(bytes);
  const graph = model.graph;
  if (graph === undefined) throw new TilepipeError('model-unreadable', 'The file holds no graph.');
  const opsets = new Map(
    model.opsetImport.map(({ domain, version }) => [normalDomain(domain), Number(version)] as const),
  );
  if (opsets.size === 0) {
    throw new TilepipeError(
      'model-unreadable',
      'The model has no opset_import, so its operators have no meaning; export it again.',
    );
  }
  const standard = opsets.get('');
  if (standard !== undefined && !(standard >= OLDEST_OPSET)) {
    throw new TilepipeError(
      'model-unsupported',
      `The model uses operator set ${standard}; ${OLDEST_OPSET} is the oldest that is read. Convert it with onnx.version_converter.`,
    );
  }
  const sparse = graph.sparseInitializer[0];
  if (sparse !== undefined) {
    throw new TilepipeError(
      'model-unsupported',
      `Initializer ${sparse.values?.name ?? ''} is sparse; export the model with dense weights.`,
    );
  }
  return { model, graph, opsets, opset: standard ?? 0 };
}

function decodeBytes(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TilepipeError('model-unreadable', `The file is not ONNX or is damaged (${reason}).`, { cause });
  }
}
