// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/writers.h"

#include <cstdio>

#include "tools/common/npy.h"
#include "tools/common/text.h"

namespace vit::tool {
namespace {

std::string joined(const std::vector<float>& values, const char* separator) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text += separator;
    text += number(values[i]);
  }
  return text;
}

class TextWriter : public Writer {
 public:
  TextWriter(Task task, Output& output) : task_(task), output_(output) {}
  void answer(const std::string& path, const Answer& answer) override {
    std::string text = visible(path);
    if (task_ == Task::kEmbed) text.append(1, '\t').append(joined(answer.values, " "));
    text += '\n';
    for (const Class& c : answer.classes) {
      char percent[16];
      std::snprintf(percent, sizeof percent, "  %5.1f%%  ", 100.0 * c.probability);
      text += percent + visible(c.label) + "\n";
    }
    output_.write(text);
    output_.flush();
  }

 private:
  Task task_;
  Output& output_;
};

/// One object a line; in an array for json.
class JsonWriter : public Writer {
 public:
  JsonWriter(Task task, Output& output, bool array) : task_(task), output_(output), array_(array) {}
  void answer(const std::string& path, const Answer& answer) override {
    if (task_ == Task::kEmbed) return object(path, "\"embedding\": [" + joined(answer.values, ", ") + "]");
    std::string text = "\"labels\": [";
    for (size_t i = 0; i < answer.classes.size(); ++i) {
      const Class& c = answer.classes[i];
      text += (i == 0 ? "{\"label\": " : ", {\"label\": ") + json_string(c.label) + ", \"index\": " + std::to_string(c.index) +
              ", \"probability\": " + number(c.probability) + ", \"logit\": " + number(c.logit) + "}";
    }
    object(path, text + "]");
  }
  void failure(const std::string& path, const std::string& sentence) override {
    object(path, "\"error\": " + json_string(sentence));
  }
  void finish() override {
    if (array_) output_.write(count_ == 0 ? "[]\n" : "\n]\n");
  }

 private:
  void object(const std::string& path, const std::string& rest) {
    const char* before = !array_ ? "" : count_ == 0 ? "[\n" : ",\n";
    output_.write(before + ("{\"path\": " + json_string(path)) + ", " + rest + (array_ ? "}" : "}\n"));
    output_.flush();
    ++count_;
  }
  Task task_;
  Output& output_;
  bool array_;
  size_t count_ = 0;
};

/// RFC 4180: lines end in CR LF.
class CsvWriter : public Writer {
 public:
  CsvWriter(Task task, Output& output, size_t width) : task_(task), output_(output) {
    std::string header = "path";
    if (task == Task::kClassify) header += ",rank,label,index,probability,logit";
    if (task == Task::kEmbed)
      for (size_t i = 0; i < width; ++i) header.append(1, ',').append(std::to_string(i));
    output_.write(header + "\r\n");
  }
  void answer(const std::string& path, const Answer& answer) override {
    const std::string name = csv_field(path);
    if (task_ == Task::kEmbed) output_.write(name + "," + joined(answer.values, ",") + "\r\n");
    for (size_t i = 0; i < answer.classes.size(); ++i) {
      const Class& c = answer.classes[i];
      output_.write(name + "," + std::to_string(i + 1) + "," + csv_field(c.label) + "," + std::to_string(c.index) + "," +
                    number(c.probability) + "," + number(c.logit) + "\r\n");
    }
    output_.flush();
  }

 private:
  Task task_;
  Output& output_;
};

class NpyRows : public Writer {
 public:
  NpyRows(Output& output, size_t width) : writer_(output, NpyType::kFloat32), width_(width) {}
  void answer(const std::string&, const Answer& answer) override { writer_.append({1, width_}, answer.values.data()); }
  void finish() override { writer_.finish({width_}); }

 private:
  NpyWriter writer_;
  size_t width_;
};

}  // namespace

void Writer::failure(const std::string&, const std::string&) {}

std::unique_ptr<Writer> make_writer(const std::string& format, Task task, Output& output, size_t width) {
  if (format == "json") return std::make_unique<JsonWriter>(task, output, true);
  if (format == "jsonl") return std::make_unique<JsonWriter>(task, output, false);
  if (format == "csv") return std::make_unique<CsvWriter>(task, output, width);
  if (format == "npy") return std::make_unique<NpyRows>(output, width);
  return std::make_unique<TextWriter>(task, output);
}

}  // namespace vit::tool
