/* SPDX-License-Identifier: Apache-2.0 */
/* A program in C outside the project: the five best labels of a photo, and the length of its embedding. MODEL PHOTO */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <vit/vit.h>

static void check(vit_status status) {
  if (status == VIT_OK) return;
  fprintf(stderr, "%s\n", vit_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;

  vit_model* model;
  check(vit_model_open(argv[1], NULL, &model));
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 2;
  vit_session* session;
  check(vit_session_create(model, &options, &session));

  vit_image photo = vit_image_path(argv[2]);
  vit_class best[5];
  size_t found;
  check(vit_classify(session, &photo, 1, 5, best, &found));
  for (size_t i = 0; i < found; ++i) printf("%5.1f %%  %s\n", 100 * best[i].probability, best[i].label);

  vit_model_info info = VIT_MODEL_INFO_INIT;
  check(vit_model_get_info(model, &info));
  float* embedding = malloc(info.embed_dim * sizeof(float));
  if (embedding == NULL) return 1;
  check(vit_embed(session, &photo, 1, embedding, info.embed_dim));
  double sum = 0;
  for (size_t i = 0; i < info.embed_dim; ++i) sum += embedding[i] * embedding[i];
  printf("%zu numbers, length %.3f, vitesse %s\n", info.embed_dim, sqrt(sum), vit_version());

  free(embedding);
  vit_session_free(session);
  vit_model_free(model);
  return 0;
}
