// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * How the frames of a pipeline are read and answered. What is left out is recognised from the shapes of the model's inputs and outputs; the defaults below are for models nothing is recognised of.
 */
export interface Pipeline {
  preprocess?: Preprocess;
  answer?: Answer;
  limits?: Limits;
}
/**
 * From a picture to the input tensor: value = (pixel / divide - mean) / std, per channel.
 */
export interface Preprocess {
  /**
   * letterbox: whole picture, proportions kept, the rest filled; stretch: whole picture, proportions lost; crop: the middle of the picture, proportions kept; none: the picture must have the input's size.
   */
  resize?: 'letterbox' | 'stretch' | 'crop' | 'none';
  /**
   * Pixel value around a letterboxed picture and behind transparent pixels.
   */
  fill?: number;
  /**
   * Where a letterboxed or cropped picture lies.
   */
  anchor?: 'center' | 'top-left';
  /**
   * For crop: share of the largest rectangle of the input's proportions that is kept; 0.875 is 224 out of 256.
   */
  cropRatio?: number;
  /**
   * Order of the channels; GRAY is ITU-R BT.601 luma, repeated where the input has three channels.
   */
  color?: 'RGB' | 'BGR' | 'GRAY';
  /**
   * Pixels, 0 to 255, are divided by this first.
   */
  divide?: number;
  /**
   * Subtracted after the division: one number, or one per channel in the order of color.
   *
   * @minItems 1
   * @maxItems 3
   */
  mean?: number[];
  /**
   * Divided by last: one number, or one per channel in the order of color.
   *
   * @minItems 1
   * @maxItems 3
   */
  std?: number[];
  /**
   * Order of the input's axes; auto: the axis of 1 or 3 elements is the channels.
   */
  layout?: 'auto' | 'NCHW' | 'NHWC';
}
/**
 * From the output tensors to the result.
 */
export interface Answer {
  /**
   * classify: the best classes; detect: boxes; tensors: the raw outputs, summarised in the result and published whole on the tensors topic.
   */
  task?: 'classify' | 'detect' | 'tensors';
  /**
   * Names of the classes in the order of their numbers, or a built-in list. A class without a name is called class N.
   */
  labels?: ('none' | 'coco' | 'imagenet' | 'face') | string[];
  /**
   * Class 0 means that nothing is there: it is never reported, and labels start at class 1.
   */
  background?: boolean;
  /**
   * classify: how many classes are reported.
   */
  topK?: number;
  /**
   * detect: lowest score that is reported.
   */
  threshold?: number;
  /**
   * detect: of two boxes of one class that overlap by more than this (intersection over union), the one with the lower score is dropped.
   */
  iou?: number;
  /**
   * detect: how boxes are coded. yolox: [1, cells, 5 + C], centre and logarithm of the size per cell; yolov5: [1, boxes, 5 + C], decoded centre and size in input pixels; yolov8: [1, 4 + C, boxes], decoded, no objectness; nanodet: class scores and edge distributions per stride; ssd: scores [1, boxes, C] and corners [1, boxes, 4] as fractions of the input; grid: [1, 5 + C, H, W] of objectness, dx, dy, log w, log h and classes per cell, all logits: centre = (cell + sigmoid(dx, dy)) * stride, size = exp(log w, log h) * stride. auto: by the shapes.
   */
  head?: 'auto' | 'yolox' | 'yolov5' | 'yolov8' | 'nanodet' | 'ssd' | 'grid';
  /**
   * What turns the class outputs into scores. auto: nothing where they are scores already, else softmax for classify, ssd and grid, sigmoid for the others.
   */
  activation?: 'auto' | 'softmax' | 'sigmoid' | 'none';
  /**
   * yolox, nanodet: input pixels per cell of each scale, in the order of the cells. grid takes its stride from the shapes.
   *
   * @minItems 1
   * @maxItems 8
   */
  strides?: number[];
  /**
   * detect: the most boxes reported, the best first.
   */
  maxDetections?: number;
}
/**
 * What a frame may cost before it is refused.
 */
export interface Limits {
  /**
   * Largest picture file, in bytes.
   */
  maxImageBytes?: number;
  /**
   * Most pixels of a picture, width times height, read from its header before it is decoded.
   */
  maxPixels?: number;
}

export const pipelineSchema = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "pipeline.schema.json",
  "title": "Pipeline",
  "description": "How the frames of a pipeline are read and answered. What is left out is recognised from the shapes of the model's inputs and outputs; the defaults below are for models nothing is recognised of.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "preprocess": {
      "title": "Preprocess",
      "description": "From a picture to the input tensor: value = (pixel / divide - mean) / std, per channel.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "resize": {
          "enum": [
            "letterbox",
            "stretch",
            "crop",
            "none"
          ],
          "default": "letterbox",
          "description": "letterbox: whole picture, proportions kept, the rest filled; stretch: whole picture, proportions lost; crop: the middle of the picture, proportions kept; none: the picture must have the input's size."
        },
        "fill": {
          "type": "integer",
          "minimum": 0,
          "maximum": 255,
          "default": 114,
          "description": "Pixel value around a letterboxed picture and behind transparent pixels."
        },
        "anchor": {
          "enum": [
            "center",
            "top-left"
          ],
          "default": "center",
          "description": "Where a letterboxed or cropped picture lies."
        },
        "cropRatio": {
          "type": "number",
          "exclusiveMinimum": 0,
          "maximum": 1,
          "default": 1,
          "description": "For crop: share of the largest rectangle of the input's proportions that is kept; 0.875 is 224 out of 256."
        },
        "color": {
          "enum": [
            "RGB",
            "BGR",
            "GRAY"
          ],
          "default": "RGB",
          "description": "Order of the channels; GRAY is ITU-R BT.601 luma, repeated where the input has three channels."
        },
        "divide": {
          "type": "number",
          "exclusiveMinimum": 0,
          "default": 255,
          "description": "Pixels, 0 to 255, are divided by this first."
        },
        "mean": {
          "type": "array",
          "items": {
            "type": "number"
          },
          "minItems": 1,
          "maxItems": 3,
          "default": [
            0
          ],
          "description": "Subtracted after the division: one number, or one per channel in the order of color."
        },
        "std": {
          "type": "array",
          "items": {
            "type": "number",
            "exclusiveMinimum": 0
          },
          "minItems": 1,
          "maxItems": 3,
          "default": [
            1
          ],
          "description": "Divided by last: one number, or one per channel in the order of color."
        },
        "layout": {
          "enum": [
            "auto",
            "NCHW",
            "NHWC"
          ],
          "default": "auto",
          "description": "Order of the input's axes; auto: the axis of 1 or 3 elements is the channels."
        }
      }
    },
    "answer": {
      "title": "Answer",
      "description": "From the output tensors to the result.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "task": {
          "enum": [
            "classify",
            "detect",
            "tensors"
          ],
          "default": "tensors",
          "description": "classify: the best classes; detect: boxes; tensors: the raw outputs, summarised in the result and published whole on the tensors topic."
        },
        "labels": {
          "anyOf": [
            {
              "enum": [
                "none",
                "coco",
                "imagenet",
                "face"
              ]
            },
            {
              "type": "array",
              "items": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100
              },
              "maxItems": 100000
            }
          ],
          "default": "none",
          "description": "Names of the classes in the order of their numbers, or a built-in list. A class without a name is called class N."
        },
        "background": {
          "type": "boolean",
          "default": false,
          "description": "Class 0 means that nothing is there: it is never reported, and labels start at class 1."
        },
        "topK": {
          "type": "integer",
          "minimum": 1,
          "maximum": 1000,
          "default": 5,
          "description": "classify: how many classes are reported."
        },
        "threshold": {
          "type": "number",
          "minimum": 0,
          "maximum": 1,
          "default": 0.3,
          "description": "detect: lowest score that is reported."
        },
        "iou": {
          "type": "number",
          "minimum": 0,
          "maximum": 1,
          "default": 0.45,
          "description": "detect: of two boxes of one class that overlap by more than this (intersection over union), the one with the lower score is dropped."
        },
        "head": {
          "enum": [
            "auto",
            "yolox",
            "yolov5",
            "yolov8",
            "nanodet",
            "ssd",
            "grid"
          ],
          "default": "auto",
          "description": "detect: how boxes are coded. yolox: [1, cells, 5 + C], centre and logarithm of the size per cell; yolov5: [1, boxes, 5 + C], decoded centre and size in input pixels; yolov8: [1, 4 + C, boxes], decoded, no objectness; nanodet: class scores and edge distributions per stride; ssd: scores [1, boxes, C] and corners [1, boxes, 4] as fractions of the input; grid: [1, 5 + C, H, W] of objectness, dx, dy, log w, log h and classes per cell, all logits: centre = (cell + sigmoid(dx, dy)) * stride, size = exp(log w, log h) * stride. auto: by the shapes."
        },
        "activation": {
          "enum": [
            "auto",
            "softmax",
            "sigmoid",
            "none"
          ],
          "default": "auto",
          "description": "What turns the class outputs into scores. auto: nothing where they are scores already, else softmax for classify, ssd and grid, sigmoid for the others."
        },
        "strides": {
          "type": "array",
          "items": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1024
          },
          "minItems": 1,
          "maxItems": 8,
          "default": [
            8,
            16,
            32
          ],
          "description": "yolox, nanodet: input pixels per cell of each scale, in the order of the cells. grid takes its stride from the shapes."
        },
        "maxDetections": {
          "type": "integer",
          "minimum": 1,
          "maximum": 10000,
          "default": 100,
          "description": "detect: the most boxes reported, the best first."
        }
      }
    },
    "limits": {
      "title": "Limits",
      "description": "What a frame may cost before it is refused.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "maxImageBytes": {
          "type": "integer",
          "minimum": 1,
          "default": 16777216,
          "description": "Largest picture file, in bytes."
        },
        "maxPixels": {
          "type": "integer",
          "minimum": 1,
          "default": 33554432,
          "description": "Most pixels of a picture, width times height, read from its header before it is decoded."
        }
      }
    }
  }
};
