// SPDX-License-Identifier: Apache-2.0
// A program in C++ outside the project: the five best labels of a photo, and the length of its embedding. MODEL PHOTO
#include <cmath>
#include <cstdio>
#include <vit/vit.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) return 2;

  vit::Model model(argv[1]);
  vit::Options options;
  options.threads = 2;
  vit::Session session = model.session(options);

  const vit::Image photo = vit::Image::path(argv[2]);
  for (const auto& [label, p] : session.classify(photo).top(5)) std::printf("%5.1f %%  %s\n", 100 * p, label.c_str());

  double sum = 0;
  const std::vector<float> embedding = session.embed(photo);
  for (const float x : embedding) sum += x * x;
  std::printf("%zu numbers, length %.3f, vitesse %s\n", embedding.size(), std::sqrt(sum), vit_version());

  // A refusal is one exception with one sentence.
  try {
    session.classify(vit::Image::path("no/such/photo.jpg"));
    return 1;
  } catch (const vit::Error& error) {
    std::printf("refused as it should be (status %d)\n", error.status());
  }
  return 0;
} catch (const vit::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
