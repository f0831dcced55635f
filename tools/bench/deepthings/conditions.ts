/** The machines of DeepThings' case: six slow boxes and a gateway, and how its tiles lie. */

/** Slow enough that eight of them and a hub leave the machine a third of its two cores. */
export const CPU = '100m';
export const HUB_CPU = '250m';
export const LINK = '200mbit';
/** Its first 16 layers of YOLOv2. */
export const NETWORK = 'yolov2-16';
export const DEVICES = ['device-1', 'device-2', 'device-3', 'device-4', 'device-5', 'device-6'] as const;

/** Rows and columns: of its grids the ones its figures are given for. */
export const GRIDS = [
  [3, 3],
  [5, 5],
] as const;

/** Peak of a device as a share of the untiled run's: 68 % less. */
export const MEMORY_SHARE = 0.32;

/** Strips of rows: two for each device, the second of which can wait for the first. */
export const STRIPS = 2 * DEVICES.length;
