/** The machines of the throughput bench: eight slow boxes, and a hub that is no faster. */

export const CPU = '150m';
export const HUB_CPU = '150m';
export const LINK = '200mbit';
