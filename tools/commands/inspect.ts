/** `tilepipe inspect`: what a model is made of, where it is cut, and what keeps the rest from being tiled. */

import type { Command } from 'commander';
import { chooseBlocks, everything } from '../../services/core/planning/choose-blocks.ts';
import { tensorBytes } from '../../services/core/planning/default-cost.ts';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { activationPeak, tileableShare } from '../../services/core/planning/summary.ts';
import type { InspectReport } from '../../services/core/schema/generated/inspect-report.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { layoutWeights } from '../../services/core/tiling/weights.ts';
import { type ModelFlags, modelOptions, openFlags } from '../model-flags.ts';
import { bytes, macs, print, printJson, table } from '../output.ts';

interface Flags extends ModelFlags {
  readonly grid: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  modelOptions(program.command('inspect'))
    .description('Print blocks, cut tensors, MACs, weights and the reasons a node cannot be tiled')
    .option('--grid <RxC>', 'grid the blocks are chosen for', '2x2')
    .option('--json', 'print inspect-report.schema.json')
    .addHelpText('after', '\nExample:\n  npx tilepipe inspect --model yolo.onnx --grid 3x3')
    .action(async (flags: Flags) => {
      const report = await inspect(flags);
      if (flags.json) printJson(report);
      else show(report);
    });
}

async function inspect(flags: Flags): Promise<InspectReport> {
  const { rows, columns } = parseGrid(flags.grid);
  const model = await openFlags(flags);
  const { graph, analysis } = model;
  const chosen = chooseBlocks(graph, analysis, gridCover(rows, columns));
  const describe = ({ name, dtype, shape }: { name: string; dtype: string; shape: readonly number[] }) => ({
    name,
    dtype,
    shape: [...shape],
  });
  return {
    model: model.name,
    digest: model.digest,
    opset: graph.opset,
    nodes: graph.nodes.length,
    macs: chosen.reduce((sum, { block }) => sum + analysis.blockMacs(block), 0),
    tileableMacShare: tileableShare(graph, analysis),
    weightBytes: [...graph.constants.values()].reduce((sum, constant) => sum + constant.byteLength, 0),
    activationPeakBytes: activationPeak(graph, everything(graph)),
    inputs: graph.inputs.map(describe),
    outputs: graph.outputs.map(describe),
    grid: flags.grid,
    blocks: chosen.map(({ block, parts, reason }) => ({
      id: block.id,
      kind: block.kind,
      nodes: block.nodes.length,
      macs: analysis.blockMacs(block),
      weightBytes: layoutWeights(graph, block).byteLength,
      activationPeakBytes: activationPeak(graph, block),
      tiles: parts.length,
      redundancy: parts.reduce((sum, part) => sum + part.macs, 0) / Math.max(1, analysis.blockMacs(block)),
      first: block.nodes[0]?.name ?? '',
      last: block.nodes.at(-1)?.name ?? '',
      cut: block.outputs.map((tensor) => ({
        tensor,
        shape: [...(graph.tensors.get(tensor)?.shape ?? [])],
        bytes: tensorBytes(graph, [tensor]),
      })),
      ...(reason === undefined ? {} : { reason }),
    })),
    whole: [...analysis.refusals.values()],
  };
}

function show(report: InspectReport): void {
  print(
    `${report.model}: opset ${report.opset}, ${report.nodes} nodes, ${macs(report.macs)} MACs, ${bytes(report.weightBytes)} of weights`,
  );
  print(
    `tileable share of MACs ${(100 * report.tileableMacShare).toFixed(1)} %, activation peak ${bytes(report.activationPeakBytes ?? 0)}`,
  );
  for (const { name, dtype, shape } of report.inputs) print(`input  ${name} ${dtype} ${shape.join('x')}`);
  for (const { name, dtype, shape } of report.outputs) print(`output ${name} ${dtype} ${shape.join('x')}`);
  const rows = report.blocks.map((block) => [
    block.id,
    block.kind,
    block.tiles,
    block.nodes,
    macs(block.macs),
    (block.redundancy ?? 1).toFixed(2),
    bytes(block.weightBytes),
    block.cut.map(({ shape, bytes: size }) => `${shape.join('x')} (${bytes(size)})`).join('\n'),
  ]);
  print(table(['block', 'kind', 'tiles', 'nodes', 'MACs', 'redundancy', 'weights', 'cut tensors out'], rows));
  for (const { node, op, reason } of report.whole) print(`whole: ${op} "${node}": ${reason}`);
}
