// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/tiny_model.h"

#include <cmath>
#include <cstring>
#include <functional>

#include "tests/io/bytes.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// Calls use(name, shape, scale, offset) for each tensor of the file.
void for_tensors(const TinyOptions& o, const std::function<void(const std::string&, Shape, float, float)>& use) {
  const int64_t C = o.embed_dim, M = o.mlp_dim, tokens = (o.image / o.patch) * (o.image / o.patch) + 1;
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    use(name + ".weight", {out, in}, 1.5f / std::sqrt(static_cast<float>(in)), 0);
    use(name + ".bias", {out}, 0.2f, 0);
  };
  const auto norm = [&](const std::string& name) {
    use(name + ".weight", {C}, 0.3f, 1);
    use(name + ".bias", {C}, 0.3f, 0);
  };
  use("vit.embeddings.cls_token", {1, 1, C}, 1, 0);
  use("vit.embeddings.position_embeddings", {1, tokens, C}, 0.5f, 0);
  use("vit.embeddings.patch_embeddings.projection.weight", {C, 3, o.patch, o.patch}, 1 / static_cast<float>(o.patch), 0);
  use("vit.embeddings.patch_embeddings.projection.bias", {C}, 0.2f, 0);
  for (int64_t i = 0; i < o.depth; ++i) {
    const std::string layer = "vit.encoder.layer." + std::to_string(i) + ".";
    norm(layer + "layernorm_before");
    for (const char* part : {"query", "key", "value"}) linear(layer + "attention.attention." + part, C, C);
    linear(layer + "attention.output.dense", C, C);
    norm(layer + "layernorm_after");
    linear(layer + "intermediate.dense", M, C);
    linear(layer + "output.dense", C, M);
  }
  norm("vit.layernorm");
  linear("classifier", o.labels, C);
}

std::string config_of(const TinyOptions& o) {
  std::string labels;
  for (int64_t i = 0; i < o.labels; ++i)
    labels += (i ? ", \"" : "\"") + std::to_string(i) + "\": \"label " + std::to_string(i) + "\"";
  const auto field = [](const std::string& name, int64_t value) { return ", \"" + name + "\": " + std::to_string(value); };
  return R"({"model_type": "vit", "architectures": ["ViTForImageClassification"], "layer_norm_eps": 1e-6, "hidden_act": ")" +
         o.activation + "\"" + field("hidden_size", o.embed_dim) + field("num_hidden_layers", o.depth) +
         field("num_attention_heads", o.num_heads) + field("intermediate_size", o.mlp_dim) + field("image_size", o.image) +
         field("patch_size", o.patch) + ", \"id2label\": {" + labels + "}}";
}

/// The outliers that the options ask for.
void enlarge_channels(const TinyOptions& options, const std::string& name, const Shape& shape, std::vector<float>& values) {
  constexpr int64_t kChannel = 3;
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  const auto scale_column = [&](float factor) {
    if (shape.rank() == 2)
      for (int64_t row = 0; row < shape[0]; ++row) values[static_cast<size_t>(row * shape[1] + kChannel)] *= factor;
  };
  if (has(".layernorm_")) values[kChannel] *= options.outlier;
  if (has(".attention.attention.") || has(".intermediate.")) scale_column(1 / options.outlier);
  if (options.spread != 0 &&
      (has(".layernorm_") || ((has(".attention.attention.") || has(".intermediate.")) && shape.rank() == 2)))
    for (size_t i = 0; i < values.size(); ++i) {
      const int step =
          static_cast<int>(i % static_cast<size_t>(options.embed_dim)) * 7 % (2 * options.spread + 1) - options.spread;
      values[i] = std::ldexp(values[i], has(".layernorm_") ? step : -step);
    }
  if (has(".intermediate."))
    for (int64_t i = 0, width = shape.rank() == 2 ? shape[1] : 1; i < width; ++i)
      values[static_cast<size_t>(kChannel * width + i)] *= options.hidden_outlier;
  if (has(".output.dense") && !has(".attention.")) scale_column(1 / options.hidden_outlier);
}

std::string weights_of(const TinyOptions& options) {
  Random random(42);
  std::string header = "{", data;
  for_tensors(options, [&](const std::string& name, const Shape& shape, float scale, float offset) {
    const size_t begin = data.size();
    std::vector<float> values(static_cast<size_t>(shape.elements()));
    for (float& value : values) value = offset + scale * random.normal();
    enlarge_channels(options, name, shape, values);
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    std::string dims;
    for (const int64_t d : shape.dims()) dims += (dims.empty() ? "" : ",") + std::to_string(d);
    header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"F32\",\"shape\":[" + dims + "],\"data_offsets\":[" +
              std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  });
  return safetensors_file(header + "}", data);
}

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

using Matrix = std::vector<double>;

/// The plain forward pass; C, M and so on as in the graph.
struct Plain {
  const TinyModel& tiny;

  Matrix linear(const Matrix& x, const std::string& name, int64_t in) const {
    const std::vector<float> w = tiny.weight(name + ".weight"), b = tiny.weight(name + ".bias");
    const auto out = static_cast<int64_t>(b.size()), rows = static_cast<int64_t>(x.size()) / in;
    Matrix y(static_cast<size_t>(rows * out));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t n = 0; n < out; ++n) {
        double sum = b[static_cast<size_t>(n)];
        for (int64_t k = 0; k < in; ++k) sum += x[static_cast<size_t>(r * in + k)] * w[static_cast<size_t>(n * in + k)];
        y[static_cast<size_t>(r * out + n)] = sum;
      }
    return y;
  }
  Matrix norm(Matrix x, const std::string& name) const {
    const std::vector<float> gamma = tiny.weight(name + ".weight"), beta = tiny.weight(name + ".bias");
    const size_t C = gamma.size();
    for (size_t r = 0; r < x.size(); r += C) {
      double mean = 0, var = 0;
      for (size_t i = 0; i < C; ++i) mean += x[r + i] / static_cast<double>(C);
      for (size_t i = 0; i < C; ++i) var += (x[r + i] - mean) * (x[r + i] - mean) / static_cast<double>(C);
      for (size_t i = 0; i < C; ++i) x[r + i] = (x[r + i] - mean) / std::sqrt(var + 1e-6) * gamma[i] + beta[i];
    }
    return x;
  }
  Matrix attention(const Matrix& q, const Matrix& k, const Matrix& v, size_t C, size_t heads) const {
    const size_t T = q.size() / C, D = C / heads;
    Matrix out(q.size());
    for (size_t h = 0; h < heads; ++h)
      for (size_t i = 0; i < T; ++i) {
        Matrix p(T);
        double sum = 0;
        for (size_t j = 0; j < T; ++j) {
          for (size_t d = 0; d < D; ++d) p[j] += q[i * C + h * D + d] * k[j * C + h * D + d] / std::sqrt(static_cast<double>(D));
          sum += p[j] = std::exp(p[j]);
        }
        for (size_t j = 0; j < T; ++j)
          for (size_t d = 0; d < D; ++d) out[i * C + h * D + d] += p[j] / sum * v[j * C + h * D + d];
      }
    return out;
  }
  Matrix tokens(const float* image) const {
    const TinyOptions& o = tiny.options();
    const int64_t grid = o.image / o.patch, P = o.patch, in = 3 * P * P;
    const std::vector<float> w = tiny.weight("vit.embeddings.patch_embeddings.projection.weight"),
                             b = tiny.weight("vit.embeddings.patch_embeddings.projection.bias"),
                             cls = tiny.weight("vit.embeddings.cls_token"),
                             pos = tiny.weight("vit.embeddings.position_embeddings");
    Matrix x(pos.begin(), pos.end());
    for (int64_t c = 0; c < o.embed_dim; ++c) {
      x[static_cast<size_t>(c)] += cls[static_cast<size_t>(c)];
      for (int64_t cell = 0; cell < grid * grid; ++cell) {
        double sum = b[static_cast<size_t>(c)];
        for (int64_t k = 0; k < in; ++k) {
          const int64_t channel = k / (P * P), y = cell / grid * P + k / P % P, xx = cell % grid * P + k % P;
          sum += double{w[static_cast<size_t>(c * in + k)]} * image[(channel * o.image + y) * o.image + xx];
        }
        x[static_cast<size_t>((cell + 1) * o.embed_dim + c)] += sum;
      }
    }
    return x;
  }
};

}  // namespace

TinyModel::TinyModel(const TinyOptions& options) : options_(options), config_(config_of(options)), weights_(weights_of(options)) {
  model_ = Model::open("tiny", {{"config.json", bytes_of(config_)}, {"model.safetensors", bytes_of(weights_)}});
}

std::vector<float> TinyModel::weight(const std::string& name) const { return floats_of(model_->weights().tensors().at(name)); }

std::vector<double> plain_logits(const TinyModel& tiny, const float* image,
                                 const std::function<void(int64_t block, std::vector<double>& tokens)>& after_block) {
  const TinyOptions& o = tiny.options();
  const Plain plain{tiny};
  const int64_t C = o.embed_dim;
  Matrix x = plain.tokens(image);
  const auto add = [&](const Matrix& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  };
  for (int64_t i = 0; i < o.depth; ++i) {
    const std::string layer = "vit.encoder.layer." + std::to_string(i) + ".", attention = layer + "attention.attention.";
    Matrix y = plain.norm(x, layer + "layernorm_before");
    y = plain.attention(plain.linear(y, attention + "query", C), plain.linear(y, attention + "key", C),
                        plain.linear(y, attention + "value", C), static_cast<size_t>(C), static_cast<size_t>(o.num_heads));
    add(plain.linear(y, layer + "attention.output.dense", C));
    y = plain.linear(plain.norm(x, layer + "layernorm_after"), layer + "intermediate.dense", C);
    for (double& v : y) v = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    add(plain.linear(y, layer + "output.dense", o.mlp_dim));
    if (after_block) after_block(i, x);
  }
  x = plain.norm(x, "vit.layernorm");
  x.resize(static_cast<size_t>(C));
  return plain.linear(x, "classifier", C);
}

}  // namespace vit
