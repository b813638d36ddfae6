// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/scores.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace vit::tool {
namespace {

/// log of the sum of exp(x[i]); the largest is taken out first, so that nothing overflows.
double log_sum_exp(const std::vector<float>& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

}  // namespace

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  assert(a.size() == b.size());
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    ab += x * y, aa += x * x, bb += y * y;
  }
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

double kl_divergence(const std::vector<float>& p, const std::vector<float>& q) {
  assert(!p.empty() && p.size() == q.size());
  const double shift_p = log_sum_exp(p), shift_q = log_sum_exp(q);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = p[i] - shift_p, log_q = q[i] - shift_q;
    sum += std::exp(log_p) * (log_p - log_q);
  }
  return std::max(sum, 0.0);  // never negative but for rounding
}

Interval wilson_interval(size_t hits, size_t trials) {
  assert(trials >= 1 && hits <= trials);
  constexpr double z = 1.959963984540054;  // the 0.975 quantile of the normal distribution
  const double n = static_cast<double>(trials), rate = static_cast<double>(hits) / n;
  const double centre = rate + z * z / (2 * n), half = z * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  const double scale = 1 / (1 + z * z / n);
  return {hits == 0 ? 0 : scale * (centre - half), hits == trials ? 1 : scale * (centre + half)};
}

void Totals::add(const Score& score) {
  ++images;
  top1 += score.rank == 1;
  top5 += score.rank <= 5;
  agreeing += score.agrees;
  cosine += score.cosine;
  kl += score.kl;
}

}  // namespace vit::tool
