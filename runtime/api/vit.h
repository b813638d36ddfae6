/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Vitesse: Vision Transformers on CPUs. The C interface; vit.hpp is a C++ one over it.
 *
 *   vit_model* model;                         one set of weights, read-only, for any number of threads
 *   vit_session* session;                     runs it; for one caller at a time
 *   vit_model_open("DIR", NULL, &model);
 *   vit_session_create(model, NULL, &session);
 *   vit_image image = vit_image_path("cat.jpg");
 *   vit_class best[5];
 *   size_t found;
 *   vit_classify(session, &image, 1, 5, best, &found);
 *
 * Rules that hold everywhere
 * - Functions answer a vit_status; VIT_OK is 0. On failure vit_last_error() has one sentence, and nothing was written to the
 *   results unless the function says otherwise.
 * - Structures start with struct_size: set it with the VIT_..._INIT macro. Fields are only ever added at the end; zero is each
 *   field's default.
 * - Strings are UTF-8 and end in a zero byte; paths are bytes. Buffers for results belong to the caller. Sizes are in elements
 *   unless a name says bytes.
 * - The library prints nothing, ends no process, installs no signal handler and opens no network connection.
 */
#ifndef VIT_VIT_H
#define VIT_VIT_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define VIT_API
#else
#define VIT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vit_status {
  VIT_OK = 0,
  VIT_ERROR_ARGUMENT = 1,    /**< the call does not make sense: a null pointer, an unknown name, a buffer too small */
  VIT_ERROR_MODEL = 2,       /**< the model is missing, damaged or refused */
  VIT_ERROR_IMAGE = 3,       /**< an image is missing, damaged or refused */
  VIT_ERROR_IO = 4,          /**< a file could not be read */
  VIT_ERROR_UNSUPPORTED = 5, /**< this CPU or this build cannot do it */
  VIT_ERROR_MEMORY = 6,      /**< out of memory, or a limit on it */
  VIT_ERROR_INTERNAL = 7     /**< a mistake in the library */
} vit_status;

/** "MAJOR.MINOR.PATCH". Static. */
VIT_API const char* vit_version(void);
/** CPUs that this process may use, by its affinity and the quotas of its control groups: so many sessions of one thread each keep
 *  them busy. A session by itself takes by default a thread for each core, of which two CPUs may share one. */
VIT_API int vit_usable_cpus(void);
/** What went wrong in the calling thread's last failed call: one sentence, valid until the thread's next call. Never NULL. */
VIT_API const char* vit_last_error(void);

/* ---- models ---------------------------------------------------------------------------------------------------------------- */

/** Weights, configuration and labels. Immutable; all functions on it may be called from several threads at once. */
typedef struct vit_model vit_model;

typedef struct vit_model_options {
  size_t struct_size;
  size_t max_header_bytes;  /**< limit of a safetensors header; 0: 16 MiB */
  const char* architecture; /**< a name of timm's registry for weights without config.json, which is not read then; NULL: none */
} vit_model_options;
#define VIT_MODEL_OPTIONS_INIT \
  { sizeof(vit_model_options), 0, NULL }

/** Loads a model: a folder in Hugging Face's layout (config.json beside model.safetensors or its index), or a .vit file, whose
 *  weights are used where they are mapped, so that processes share them.
 *  `options` may be NULL. On success *out owns the model: vit_model_free() releases it, at any time; sessions keep what they
 *  need. On failure *out is NULL. VIT_ERROR_MODEL, VIT_ERROR_IO, VIT_ERROR_MEMORY. */
VIT_API vit_status vit_model_open(const char* path, const vit_model_options* options, vit_model** out);

/** A file in memory. `name` as it would be in a model's folder: "config.json", "model.safetensors". */
typedef struct vit_file {
  const char* name;
  const void* data;
  size_t bytes;
} vit_file;
/** vit_model_open() of files in memory; nothing is copied, so the caller keeps their bytes until the model and all its sessions
 *  are freed. `name` stands for the path in error messages and descriptions. */
VIT_API vit_status vit_model_open_memory(const char* name, const vit_file* files, size_t count, const vit_model_options* options,
                                         vit_model** out);
/** A model of timm's registry ("vit_small_patch16_224") with random weights, the same in every run: for measuring. Ownership and
 *  failures as for vit_model_open(). */
VIT_API vit_status vit_model_untrained(const char* architecture, vit_model** out);
/** vit_model_untrained() at another size of the input or the patch: squares with sides of so many pixels; 0: as registered. */
VIT_API vit_status vit_model_untrained_sized(const char* architecture, size_t image_side, size_t patch_side, vit_model** out);
/** NULL is allowed. */
VIT_API void vit_model_free(vit_model* model);

typedef struct vit_model_info {
  size_t struct_size;
  size_t num_labels;              /**< 0: the model has no classifier */
  size_t embed_dim;               /**< channels of a token, and of an embedding unless a pooler makes others */
  size_t height, width, channels; /**< of the input that the model was made for, in pixels */
  size_t patch_height, patch_width;
  size_t input_height, input_width; /**< of the pixels that its preprocessing gives; 0: that depends on the picture */
  int precision;                    /**< a vit_precision: what VIT_PRECISION_MODEL is */
} vit_model_info;
#define VIT_MODEL_INFO_INIT \
  { sizeof(vit_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Fills in as much of *info as its struct_size covers. */
VIT_API vit_status vit_model_get_info(const vit_model* model, vit_model_info* info);
/** Name of a label, exactly as the model has it; NULL when index >= num_labels. Lives as long as the model. */
VIT_API const char* vit_model_label(const vit_model* model, size_t index);

/* ---- sessions -------------------------------------------------------------------------------------------------------------- */

/** A model prepared for running: kernels chosen, weights packed, memory reserved. Mutable: one caller at a time. */
typedef struct vit_session vit_session;

typedef enum vit_backend {
  VIT_BACKEND_OWN = 0,   /**< the library's own kernels: equal bits for any number of threads and any batch */
  VIT_BACKEND_ONEDNN = 1 /**< oneDNN's primitives; VIT_ERROR_UNSUPPORTED when built without */
} vit_backend;

/** What the model's layers multiply in; everything between them stays float32. */
typedef enum vit_precision {
  VIT_PRECISION_MODEL = 0, /**< the model's own: of a .vit file what it was made for, else float32 */
  VIT_PRECISION_BF16 = 1,  /**< weights and activations rounded to bfloat16, sums in float32 */
  VIT_PRECISION_INT8 = 2, /**< 8-bit weights, a scale each output channel; activations quantised as they come, a scale each token;
                               layers that lose too much stay in a wider type, see VIT_DESCRIBE_PLAN */
  VIT_PRECISION_AUTO = 3, /**< the fastest of f32 and bf16 on this CPU: bf16 where it multiplies bfloat16, else f32 */
  VIT_PRECISION_F32 = 4
} vit_precision;

/** How EXIF orientation is treated. */
typedef enum vit_exif {
  VIT_EXIF_RECIPE = 0, /**< as the model's own preprocessing does */
  VIT_EXIF_APPLY = 1,
  VIT_EXIF_IGNORE = 2
} vit_exif;

/** What a label's probability is. */
typedef enum vit_probabilities {
  VIT_PROBABILITIES_MODEL = 0,   /**< sigmoid when the configuration's problem_type is multi_label_classification, else softmax */
  VIT_PROBABILITIES_SOFTMAX = 1, /**< one label is true: they add up to 1 */
  VIT_PROBABILITIES_SIGMOID = 2  /**< each label is true or not by itself */
} vit_probabilities;

typedef struct vit_session_options {
  size_t struct_size;
  int threads; /**< 0: the cores that the process may use */
  vit_backend backend;
  const char* isa; /**< "sse2", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx", "neon"; NULL: the variable VIT_ISA, or the
                      best of this CPU */
  size_t height, width; /**< of the pixels that images are brought to, at least one patch; 0: as the model's preprocessing says */
  vit_exif exif;
  int pillow_order;        /**< order of the resize passes: 0 or 12 as Pillow up to 12.1, 13 as Pillow 13 */
  const char* const* taps; /**< names of graph nodes to keep, see vit_tap(); copied */
  size_t tap_count;
  uint64_t max_image_pixels; /**< limit of an image file's width x height; 0: 178,956,970 (Pillow's) */
  int profile;               /**< nonzero: time each step, see VIT_DESCRIBE_PROFILE and VIT_DESCRIBE_TRACE */
  int native; /**< nonzero: images keep their own size, each side rounded to whole patches, at least one; nothing is
                   cut off, and one call may mix sizes. Excludes height and width */
  vit_probabilities probabilities; /**< of vit_classify() */
  vit_precision precision;         /**< VIT_ERROR_UNSUPPORTED where the backend computes in float32 only */
  int dct_scale; /**< nonzero: a JPEG of at least twice the size that it is resized to is decoded at 1/2, 1/4 or 1/8, never below
                      that size: faster, with pixels near to the exact ones but not equal */
} vit_session_options;
#define VIT_SESSION_OPTIONS_INIT                                                                                                \
  {                                                                                                                             \
    sizeof(vit_session_options), 0, VIT_BACKEND_OWN, NULL, 0, 0, VIT_EXIF_RECIPE, 0, NULL, 0, 0, 0, 0, VIT_PROBABILITIES_MODEL, \
        VIT_PRECISION_MODEL, 0                                                                                                  \
  }

/** `options` may be NULL. On success *out owns the session. On failure *out is NULL. */
VIT_API vit_status vit_session_create(const vit_model* model, const vit_session_options* options, vit_session** out);
/** What VIT_PRECISION_AUTO is, or would be, in this session: BF16 or F32. */
VIT_API vit_precision vit_session_auto_precision(const vit_session* session);
/** NULL is allowed. */
VIT_API void vit_session_free(vit_session* session);

/* ---- images in, answers out -------------------------------------------------------------------------------------------------
 */

typedef enum vit_image_kind {
  VIT_IMAGE_PATH = 0,    /**< a file: JPEG, PNG, WebP, BMP, PNM or TGA; "-" is standard input */
  VIT_IMAGE_ENCODED = 1, /**< the bytes of such a file */
  VIT_IMAGE_PIXELS = 2,  /**< decoded pixels, upright */
  VIT_IMAGE_PREPARED = 3 /**< pixels as vit_preprocess() gave them: run as they are */
} vit_image_kind;

typedef enum vit_pixel_format {
  VIT_PIXELS_RGB = 0,
  VIT_PIXELS_BGR = 1,
  VIT_PIXELS_RGBA = 2, /**< alpha is dropped, as for files */
  VIT_PIXELS_BGRA = 3,
  VIT_PIXELS_GRAY = 4
} vit_pixel_format;

/** An image to read. The caller keeps what the pointers point to, until the call returns. */
typedef struct vit_image {
  size_t struct_size;
  vit_image_kind kind;
  const char* path;     /**< PATH */
  const void* data;     /**< ENCODED: the file's bytes; PIXELS and PREPARED: the top left pixel, 8 bits a channel */
  size_t data_bytes;    /**< ENCODED */
  size_t width, height; /**< PIXELS */
  size_t stride_bytes;  /**< PIXELS: from one row to the next; 0: rows are adjacent */
  vit_pixel_format format;
} vit_image;

static inline vit_image vit_image_path(const char* path) {
  vit_image image = {sizeof(vit_image), VIT_IMAGE_PATH, path, NULL, 0, 0, 0, 0, VIT_PIXELS_RGB};
  return image;
}
static inline vit_image vit_image_encoded(const void* data, size_t bytes) {
  vit_image image = {sizeof(vit_image), VIT_IMAGE_ENCODED, NULL, data, bytes, 0, 0, 0, VIT_PIXELS_RGB};
  return image;
}
static inline vit_image vit_image_pixels(const void* data, size_t width, size_t height, size_t stride_bytes,
                                         vit_pixel_format format) {
  vit_image image = {sizeof(vit_image), VIT_IMAGE_PIXELS, NULL, data, 0, width, height, stride_bytes, format};
  return image;
}

typedef struct vit_class {
  size_t index;
  float probability; /**< softmax over all labels, or sigmoid: see vit_probabilities */
  float logit;
  const char* label; /**< lives as long as the model */
} vit_class;

/** The most probable `top_k` labels of each image, by falling probability, ties by index. *found = min(top_k, num_labels) of
 *  them stand at out[image * *found]. `out` has room for count * min(top_k, num_labels). One bad image fails the call.
 *  VIT_ERROR_ARGUMENT when the model has no classifier. */
VIT_API vit_status vit_classify(vit_session* session, const vit_image* images, size_t count, size_t top_k, vit_class* out,
                                size_t* found);

typedef enum vit_output {
  VIT_OUTPUT_LOGITS = 0,   /**< [B, num_labels] */
  VIT_OUTPUT_FEATURES = 1, /**< [B, T, embed_dim]: every token after the final norm: class, distillation, registers, patches */
  VIT_OUTPUT_EMBEDDING = 2 /**< [B, C]: the container's pooled output, or the normed class token. C is embed_dim, or what the
                                  pooler makes: vit_output_shape() */
} vit_output;

/** Runs images and copies an output, float32 in C order. VIT_ERROR_ARGUMENT when `capacity` is less than its elements. */
VIT_API vit_status vit_infer(vit_session* session, const vit_image* images, size_t count, vit_output want, float* out,
                             size_t capacity);

/** vit_infer() with VIT_OUTPUT_EMBEDDING: out is [count, C], C as there. */
VIT_API vit_status vit_embed(vit_session* session, const vit_image* images, size_t count, float* out, size_t capacity);

/** Runs an already normalised float32 input [batch, channels, height, width] in C order. Any height and width of at least one
 *  patch; a remainder modulo the patch is dropped at the right and the bottom; positions are interpolated. */
VIT_API vit_status vit_run(vit_session* session, const float* input, size_t batch, size_t height, size_t width, vit_output want,
                           float* out, size_t capacity);

/** Axes of what vit_infer() (with the session's height and width) or vit_run() would write; 2 or 3 of them, *rank says how many.
 */
VIT_API vit_status vit_output_shape(const vit_session* session, size_t batch, size_t height, size_t width, vit_output want,
                                    size_t dims[3], size_t* rank);

/** The 8-bit pixels that the model would see, after orientation, resize and crop: [height, width, 3]. `out` may be NULL to ask
 *  for the size alone. */
VIT_API vit_status vit_preprocess(vit_session* session, const vit_image* image, uint8_t* out, size_t capacity, size_t* height,
                                  size_t* width);

/** The same pixels of image `index` of the last successful vit_classify(), vit_infer(), vit_embed() or vit_preprocess(), without
 *  reading it again. *data belongs to the session and lives until its next call. */
VIT_API vit_status vit_pixels(const vit_session* session, size_t index, const uint8_t** data, size_t* height, size_t* width);

/** The value of a tapped node in the last successful run, as float32 in C order. *data belongs to the session and lives until its
 * next run. dims has room for 4 axes. Rows of several images of different size stand one after the other. */
VIT_API vit_status vit_tap(const vit_session* session, const char* name, const float** data, size_t dims[4], size_t* rank);

/* ---- .vit files --------------------------------------------------------------------------------------------------------------
 */

/** What a .vit file's linear layers are stored in. */
typedef enum vit_scheme {
  VIT_SCHEME_INT8 = 0, /**< computed in int8, see VIT_PRECISION_INT8 */
  VIT_SCHEME_BF16 = 1,
  VIT_SCHEME_F16 = 2, /**< a smaller file; computed in float32 */
  VIT_SCHEME_F32 = 3
} vit_scheme;

typedef struct vit_quantize_options {
  size_t struct_size;
  vit_scheme scheme;
  const char* isa;         /**< whose layout and arithmetic the file is made for, as in vit_session_options; it runs on all */
  double min_cosine;       /**< INT8: layers whose results come less near to float32's stay in bf16 or f32; 0: 0.998 */
  const char* const* keep; /**< INT8: "PATTERN=bf16", "PATTERN=f32" or "PATTERN=int8" for layers that match (fnmatch) */
  size_t keep_count;
  /** Called after each layer and each calibration picture; nonzero ends the work with VIT_ERROR_ARGUMENT. NULL: none. */
  int (*progress)(void* user, size_t done, size_t total);
  void* user;
  /** INT8: pictures that the layers are tried on, instead of one that the library makes up; LayerNorms are then smoothed, too
   *  (SmoothQuant), where that brings something. They are read one at a time, as a session without options would; one that
   *  cannot be read fails the call. */
  const vit_image* calibration;
  size_t calibration_count;
  int threads; /**< that run the calibration pictures; 0: the cores that the process may use. The file does not depend on it */
} vit_quantize_options;
#define VIT_QUANTIZE_OPTIONS_INIT \
  { sizeof(vit_quantize_options), VIT_SCHEME_INT8, NULL, 0, NULL, 0, NULL, NULL, NULL, 0, 0 }

/** A .vit file in memory. Immutable. */
typedef struct vit_quantized vit_quantized;

/** Makes a .vit file (docs/vit-format.md) of a model. The same model, options and CPU give the same bytes. `options` may be NULL.
 *  On success *out owns the file; on failure it is NULL. VIT_ERROR_ARGUMENT, VIT_ERROR_UNSUPPORTED, VIT_ERROR_MEMORY; with
 *  calibration pictures VIT_ERROR_IMAGE, VIT_ERROR_IO. */
VIT_API vit_status vit_quantize(const vit_model* model, const vit_quantize_options* options, vit_quantized** out);
/** The file's bytes; they live as long as the handle. */
VIT_API const void* vit_quantized_data(const vit_quantized* file, size_t* bytes);
/** NULL is allowed. */
VIT_API void vit_quantized_free(vit_quantized* file);

/** How a .vit file's golden pass, which it has from where it was made, comes out here. */
typedef struct vit_verification {
  size_t struct_size;
  double f32_difference, f32_tolerance; /**< of the outputs in float32, greatest, as a part of the greatest output */
  double cosine, min_cosine;            /**< of the outputs in the file's own precision with those in float32 */
} vit_verification;
#define VIT_VERIFICATION_INIT \
  { sizeof(vit_verification), 0, 0, 0, 0 }

/** Replays the golden pass on an instruction set (NULL: as for a session) and fills in *out. VIT_ERROR_MODEL when a bound is not
 *  met, *out is filled in then too; VIT_ERROR_ARGUMENT for a model of no .vit file; VIT_ERROR_UNSUPPORTED. */
VIT_API vit_status vit_model_verify(const vit_model* model, const char* isa, vit_verification* out);

/* ---- descriptions -----------------------------------------------------------------------------------------------------------
 */

typedef enum vit_description {
  VIT_DESCRIBE_MODEL = 0,   /**< family, sizes, labels' number, parameters, files */
  VIT_DESCRIBE_TENSORS = 1, /**< name, type, shape and file of each tensor */
  VIT_DESCRIBE_RECIPE = 2,  /**< preprocessing: each value with its origin */
  VIT_DESCRIBE_NODES = 3,   /**< names and shapes of the nodes that can be tapped, and pixels */
  VIT_DESCRIBE_PLAN = 4,    /**< steps, implementations, barriers, memory, threads, instruction set */
  VIT_DESCRIBE_PROFILE = 5, /**< per step: calls, microseconds, operations and bytes, since the session was created */
  VIT_DESCRIBE_STAGES = 6,  /**< images, microseconds of decoding and of preprocessing, since the session was created */
  VIT_DESCRIBE_LAYERS = 7,  /**< of a .vit file: what each linear layer is stored in, how near it comes to float32, what was
                                 moved or kept and why; else an empty object */
  VIT_DESCRIBE_TRACE = 8    /**< each step of the last run on each thread: when it began, was done with waiting for other threads,
                                 and ended, in microseconds of the monotonic clock (std::chrono::steady_clock) */
} vit_description;

/** A JSON text about the session and its model. Writes at most `capacity` bytes with the zero byte; *needed (may not be NULL)
 *  is the size with it. VIT_ERROR_ARGUMENT when it does not fit and `text` is not NULL. */
VIT_API vit_status vit_describe(const vit_session* session, vit_description what, char* text, size_t capacity, size_t* needed);

#ifdef __cplusplus
}
#endif
#endif
