#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include "saferl/base/json.h"
#include "saferl/base/json_reader.h"
#include "saferl/base/text.h"
#include "saferl/services/inference/infer_message.h"

namespace saferl::services {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t size;
};
constexpr std::array<TypeInfo, static_cast<size_t>(DataType::kCount)> kTypes = {{{"BOOL", 1},
                                                                                 {"UINT8", 1},
                                                                                 {"UINT16", 2},
                                                                                 {"UINT32", 4},
                                                                                 {"UINT64", 8},
                                                                                 {"INT8", 1},
                                                                                 {"INT16", 2},
                                                                                 {"INT32", 4},
                                                                                 {"INT64", 8},
                                                                                 {"FP16", 2},
                                                                                 {"FP32", 4},
                                                                                 {"FP64", 8},
                                                                                 {"BYTES", 0},
                                                                                 {"BF16", 2}}};

Status Bad(const std::string& text) { return absl::InvalidArgumentError(text); }

template <class T>
void Append(T value, std::string* bytes) {
  const size_t at = bytes->size();
  bytes->resize(at + sizeof(T));
  std::memcpy(bytes->data() + at, &value, sizeof(T));
}

template <class T>
Status AppendWhole(JsonReader* reader, std::string* bytes) {
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(reader->Word(&word));
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    return reader->Fail(
        Cat("'", JsonEscape(word.substr(0, 40)),
            "' is no whole number that fits the datatype; check datatype and data"));
  Append(value, bytes);
  return absl::OkStatus();
}

template <class T>
Status AppendReal(JsonReader* reader, std::string* bytes) {
  double value = 0;
  SAFERL_RETURN_IF_ERROR(reader->Number(&value));
  if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max()))
    return reader->Fail(Cat(value, " does not fit the datatype; send FP64 or scale it"));
  Append(static_cast<T>(value), bytes);
  return absl::OkStatus();
}

Status AppendBool(JsonReader* reader, std::string* bytes) {
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(reader->Word(&word));
  const bool yes = word == "true" || word == "1";
  if (!yes && word != "false" && word != "0") return reader->Fail("a BOOL is true, false, 1 or 0");
  Append(static_cast<uint8_t>(yes), bytes);
  return absl::OkStatus();
}

Status AppendBytes(JsonReader* reader, std::string* bytes) {
  std::string text;
  SAFERL_RETURN_IF_ERROR(reader->String(&text));
  Append(static_cast<uint32_t>(text.size()), bytes);
  bytes->append(text);
  return absl::OkStatus();
}

Status AppendElement(DataType type, JsonReader* reader, std::string* bytes) {
  switch (type) {
    case DataType::kBool:
      return AppendBool(reader, bytes);
    case DataType::kUint8:
      return AppendWhole<uint8_t>(reader, bytes);
    case DataType::kUint16:
      return AppendWhole<uint16_t>(reader, bytes);
    case DataType::kUint32:
      return AppendWhole<uint32_t>(reader, bytes);
    case DataType::kUint64:
      return AppendWhole<uint64_t>(reader, bytes);
    case DataType::kInt8:
      return AppendWhole<int8_t>(reader, bytes);
    case DataType::kInt16:
      return AppendWhole<int16_t>(reader, bytes);
    case DataType::kInt32:
      return AppendWhole<int32_t>(reader, bytes);
    case DataType::kInt64:
      return AppendWhole<int64_t>(reader, bytes);
    case DataType::kFp32:
      return AppendReal<float>(reader, bytes);
    case DataType::kFp64:
      return AppendReal<double>(reader, bytes);
    case DataType::kBytes:
      return AppendBytes(reader, bytes);
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kCount:
      break;
  }
  return reader->Fail(Cat(Name(type), " has no JSON form; send it in the binary data format"));
}

/// The run of plain numbers that comes next, at most `most`. What ends it is for the caller.
template <class T>
int64_t AppendReals(int64_t most, JsonReader* reader, std::string* bytes) {
  int64_t count = 0;
  std::array<T, 64> values;
  while (count < most) {
    const size_t room = static_cast<size_t>(std::min<int64_t>(most - count, values.size()));
    const size_t n = reader->Reals(std::span<T>(values).first(room));
    bytes->append(reinterpret_cast<const char*>(values.data()), n * sizeof(T));
    count += static_cast<int64_t>(n);
    if (n < room) break;
  }
  return count;
}

/// A flat or nested list of elements, row by row.
Status ReadData(DataType type, JsonReader* reader, std::string* bytes) {
  int depth = 0;
  int64_t count = 0;
  SAFERL_RETURN_IF_ERROR(reader->BeginArray());
  for (++depth; depth > 0;) {
    if (type == DataType::kFp32) count += AppendReals<float>(kMaxElements - count, reader, bytes);
    if (type == DataType::kFp64) count += AppendReals<double>(kMaxElements - count, reader, bytes);
    if (!reader->NextItem()) {
      SAFERL_RETURN_IF_ERROR(reader->status());
      --depth;
    } else if (reader->Peek() == JsonReader::Kind::kArray) {
      SAFERL_RETURN_IF_ERROR(reader->BeginArray());
      ++depth;
    } else {
      if (++count > kMaxElements) return reader->Fail(Cat("more than ", kMaxElements, " elements"));
      SAFERL_RETURN_IF_ERROR(AppendElement(type, reader, bytes));
    }
  }
  return absl::OkStatus();
}

Status ReadParameter(JsonReader* reader, Parameter* value) {
  switch (reader->Peek()) {
    case JsonReader::Kind::kString: {
      std::string text;
      SAFERL_RETURN_IF_ERROR(reader->String(&text));
      *value = std::move(text);
      return absl::OkStatus();
    }
    case JsonReader::Kind::kBool: {
      bool truth = false;
      SAFERL_RETURN_IF_ERROR(reader->Bool(&truth));
      *value = truth;
      return absl::OkStatus();
    }
    case JsonReader::Kind::kNumber: {
      std::string_view word;
      SAFERL_RETURN_IF_ERROR(reader->Word(&word));
      int64_t whole = 0;
      const char* end = word.data() + word.size();
      if (std::from_chars(word.data(), end, whole) == std::from_chars_result{end, std::errc()}) {
        *value = whole;
        return absl::OkStatus();
      }
      uint64_t large = 0;
      if (std::from_chars(word.data(), end, large) == std::from_chars_result{end, std::errc()}) {
        *value = std::string(word);  // an id beyond int64 keeps its digits
        return absl::OkStatus();
      }
      double real = 0;
      std::from_chars(word.data(), end, real);
      *value = real;
      return absl::OkStatus();
    }
    default:
      return reader->Fail("a parameter is a text, a number, true or false");
  }
}

Status ReadParameters(JsonReader* reader, Parameters* parameters) {
  SAFERL_RETURN_IF_ERROR(reader->BeginObject());
  std::string key;
  while (reader->NextKey(&key)) {
    Parameter value;
    SAFERL_RETURN_IF_ERROR(ReadParameter(reader, &value));
    if (!parameters->emplace(key, std::move(value)).second)
      return reader->Fail(Cat("parameter '", JsonEscape(key), "' appears twice; keep one"));
  }
  return reader->status();
}

template <class T>
bool Take(Parameters* parameters, const char* key, T* value) {
  const auto at = parameters->find(key);
  if (at == parameters->end()) return false;
  const T* held = std::get_if<T>(&at->second);
  if (held == nullptr) return false;
  *value = *held;
  parameters->erase(at);
  return true;
}

/// Remembers which of a few known keys came. False: this one came before. An unknown key is the
/// caller's to refuse, so that it cannot come twice.
template <size_t kCount>
class KeysOnce {
 public:
  explicit KeysOnce(const std::array<std::string_view, kCount>& known) : known_(known) {}
  bool Add(std::string_view key) {
    for (size_t i = 0; i < kCount; ++i) {
      if (known_[i] == key) return !std::exchange(seen_[i], true);
    }
    return true;
  }

 private:
  const std::array<std::string_view, kCount>& known_;
  std::array<bool, kCount> seen_{};
};
constexpr std::array<std::string_view, 5> kInputKeys = {"name", "shape", "datatype", "parameters",
                                                        "data"};
constexpr std::array<std::string_view, 6> kRequestKeys = {
    "id", "model_name", "model_version", "parameters", "inputs", "outputs"};

struct Input {
  Tensor tensor;
  bool has_data = false, has_type = false, has_shape = false;
  std::optional<int64_t> binary_size;
};

Status ReadInput(JsonReader* reader, Input* input) {
  SAFERL_RETURN_IF_ERROR(reader->BeginObject());
  std::string key, type;
  std::optional<JsonReader> data;  // where "data" stands, when its datatype comes later
  KeysOnce once(kInputKeys);
  while (reader->NextKey(&key)) {
    if (!once.Add(key)) return reader->Fail(Cat("'", JsonEscape(key), "' appears twice"));
    if (key == "name") {
      SAFERL_RETURN_IF_ERROR(reader->String(&input->tensor.name));
    } else if (key == "datatype") {
      SAFERL_RETURN_IF_ERROR(reader->String(&type));
      StatusOr<DataType> parsed = ParseDataType(type);
      if (!parsed.ok()) return reader->Fail(Cat(parsed.status().message()));
      input->tensor.type = *parsed;
      input->has_type = true;
    } else if (key == "shape") {
      SAFERL_RETURN_IF_ERROR(reader->Numbers(&input->tensor.shape));
      input->has_shape = true;
    } else if (key == "parameters") {
      SAFERL_RETURN_IF_ERROR(ReadParameters(reader, &input->tensor.parameters));
    } else if (key == "data") {
      input->has_data = true;
      if (input->has_type) {
        SAFERL_RETURN_IF_ERROR(ReadData(input->tensor.type, reader, &input->tensor.bytes));
      } else {
        data = *reader;
        SAFERL_RETURN_IF_ERROR(reader->Skip());
      }
    } else {
      return reader->Fail(Cat("input has no field '", JsonEscape(key),
                              "'; use name, shape, datatype, parameters, data"));
    }
  }
  SAFERL_RETURN_IF_ERROR(reader->status());
  if (input->tensor.name.empty()) return reader->Fail("input without a name; add it");
  if (!input->has_type || !input->has_shape)
    return reader->Fail(
        Cat("input '", JsonEscape(input->tensor.name), "' needs shape and datatype"));
  if (data.has_value())
    SAFERL_RETURN_IF_ERROR(ReadData(input->tensor.type, &*data, &input->tensor.bytes));
  int64_t size = 0;
  if (Take(&input->tensor.parameters, "binary_data_size", &size)) input->binary_size = size;
  return absl::OkStatus();
}

Status ReadOutput(JsonReader* reader, OutputWish* output, bool default_binary) {
  output->binary = default_binary;
  SAFERL_RETURN_IF_ERROR(reader->BeginObject());
  std::string key;
  while (reader->NextKey(&key)) {
    if (key == "name") {
      SAFERL_RETURN_IF_ERROR(reader->String(&output->name));
    } else if (key == "parameters") {
      Parameters parameters;
      SAFERL_RETURN_IF_ERROR(ReadParameters(reader, &parameters));
      Take(&parameters, "binary_data", &output->binary);
      Take(&parameters, "classification", &output->classification);
    } else {
      return reader->Fail(Cat("output has no field '", JsonEscape(key), "'; use name, parameters"));
    }
  }
  SAFERL_RETURN_IF_ERROR(reader->status());
  return output->name.empty() ? reader->Fail("output without a name; add it") : absl::OkStatus();
}

/// Gives the raw tensors that follow the JSON to the inputs that announced them, in order.
Status TakeBinary(std::string_view raw, std::vector<Input>* inputs) {
  size_t at = 0;
  for (Input& input : *inputs) {
    const std::string& name = input.tensor.name;
    if (!input.binary_size.has_value()) {
      if (!input.has_data)
        return Bad(Cat("input '", name, "': has neither data nor binary_data_size; send one"));
      continue;
    }
    if (input.has_data) return Bad(Cat("input '", name, "': has both data and binary_data_size"));
    const int64_t size = *input.binary_size;
    if (size < 0 || static_cast<uint64_t>(size) > raw.size() - at)
      return Bad(Cat("input '", name, "': binary_data_size ", size, " but ", raw.size() - at,
                     " bytes are left; check Inference-Header-Content-Length"));
    input.tensor.bytes.assign(raw.substr(at, static_cast<size_t>(size)));
    at += static_cast<size_t>(size);
  }
  if (at != raw.size())
    return Bad(
        Cat(raw.size() - at, " bytes after the last input; announce each by binary_data_size"));
  return absl::OkStatus();
}

Status ReadRequest(JsonReader* reader, InferRequest* request, std::vector<Input>* inputs) {
  SAFERL_RETURN_IF_ERROR(reader->BeginObject());
  std::string key;
  KeysOnce once(kRequestKeys);
  std::optional<JsonReader> outputs;  // read after the parameters, which may set their default
  while (reader->NextKey(&key)) {
    if (!once.Add(key)) return reader->Fail(Cat("'", JsonEscape(key), "' appears twice"));
    if (key == "id") {
      SAFERL_RETURN_IF_ERROR(reader->String(&request->id));
    } else if (key == "model_name") {
      SAFERL_RETURN_IF_ERROR(reader->String(&request->model_name));
    } else if (key == "model_version") {
      SAFERL_RETURN_IF_ERROR(reader->String(&request->model_version));
    } else if (key == "parameters") {
      SAFERL_RETURN_IF_ERROR(ReadParameters(reader, &request->parameters));
    } else if (key == "inputs") {
      SAFERL_RETURN_IF_ERROR(reader->BeginArray());
      while (reader->NextItem()) {
        if (inputs->size() >= 64) return reader->Fail("more than 64 inputs");
        SAFERL_RETURN_IF_ERROR(ReadInput(reader, &inputs->emplace_back()));
      }
      SAFERL_RETURN_IF_ERROR(reader->status());
    } else if (key == "outputs") {
      outputs = *reader;
      SAFERL_RETURN_IF_ERROR(reader->Skip());
    } else {
      return reader->Fail(
          Cat("request has no field '", JsonEscape(key), "'; use id, parameters, inputs, outputs"));
    }
  }
  SAFERL_RETURN_IF_ERROR(reader->Finish());
  Take(&request->parameters, "binary_data_output", &request->binary_output);
  if (!outputs.has_value()) return absl::OkStatus();
  SAFERL_RETURN_IF_ERROR(outputs->BeginArray());
  while (outputs->NextItem()) {
    if (request->outputs.size() >= 64) return outputs->Fail("more than 64 outputs");
    SAFERL_RETURN_IF_ERROR(
        ReadOutput(&*outputs, &request->outputs.emplace_back(), request->binary_output));
  }
  return outputs->status();
}

}  // namespace

std::string_view Name(DataType type) {
  return type < DataType::kCount ? kTypes[static_cast<size_t>(type)].name : "unknown";
}

StatusOr<DataType> ParseDataType(std::string_view name) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name) return static_cast<DataType>(i);
  }
  return Bad(Cat(
      "datatype '", JsonEscape(name.substr(0, 40)),
      "' is not known; use BOOL, INT8 to INT64, UINT8 to UINT64, FP16, BF16, FP32, FP64 or BYTES"));
}

size_t SizeOf(DataType type) { return kTypes[static_cast<size_t>(type)].size; }

StatusOr<int64_t> Elements(const std::vector<int64_t>& shape) {
  if (shape.size() > 16) return Bad("shape: more than 16 dimensions");
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0) return Bad(Cat("shape: ", dimension, " is negative; give every dimension"));
    if (dimension > 0 && count > kMaxElements / dimension)
      return Bad(Cat("shape: more than ", kMaxElements, " elements"));
    count *= dimension;
  }
  return count;
}

Status CheckTensor(const Tensor& tensor) {
  const StatusOr<int64_t> count = Elements(tensor.shape);
  if (!count.ok()) return Bad(Cat("input '", tensor.name, "': ", count.status().message()));
  if (tensor.type != DataType::kBytes) {
    const uint64_t size = static_cast<uint64_t>(*count) * SizeOf(tensor.type);
    if (tensor.bytes.size() == size) return absl::OkStatus();
    return Bad(Cat("input '", tensor.name, "': ", tensor.bytes.size() / SizeOf(tensor.type),
                   " elements of ", Name(tensor.type), " where its shape asks for ", *count));
  }
  size_t at = 0;
  for (int64_t i = 0; i < *count; ++i) {
    uint32_t length = 0;
    if (tensor.bytes.size() - at < sizeof(length))
      return Bad(Cat("input '", tensor.name, "': fewer BYTES elements than its shape asks for"));
    std::memcpy(&length, tensor.bytes.data() + at, sizeof(length));
    at += sizeof(length);
    if (tensor.bytes.size() - at < length)
      return Bad(Cat("input '", tensor.name, "': a BYTES element ends beyond the data"));
    at += length;
  }
  if (at != tensor.bytes.size())
    return Bad(Cat("input '", tensor.name, "': more BYTES elements than its shape asks for"));
  return absl::OkStatus();
}

StatusOr<InferRequest> DecodeInferRequest(std::string_view body,
                                          std::optional<size_t> header_length) {
  if (header_length.has_value() && *header_length > body.size())
    return Bad(Cat("Inference-Header-Content-Length: ", *header_length, " is beyond the body's ",
                   body.size(), " bytes"));
  const std::string_view json = body.substr(0, header_length.value_or(body.size()));
  JsonReader reader(json, "body", 32);
  InferRequest request;
  std::vector<Input> inputs;
  SAFERL_RETURN_IF_ERROR(ReadRequest(&reader, &request, &inputs));
  SAFERL_RETURN_IF_ERROR(TakeBinary(body.substr(json.size()), &inputs));
  if (inputs.empty()) return Bad("body: no inputs; give at least one");
  std::set<std::string> names;
  for (Input& input : inputs) {
    SAFERL_RETURN_IF_ERROR(CheckTensor(input.tensor));
    if (inputs.size() > 1 && !names.insert(input.tensor.name).second)
      return Bad(Cat("input '", input.tensor.name, "' appears twice; keep one"));
    request.inputs.push_back(std::move(input.tensor));
  }
  names.clear();
  for (const OutputWish& output : request.outputs) {
    if (!names.insert(output.name).second)
      return Bad(Cat("output '", JsonEscape(output.name), "' appears twice; keep one"));
  }
  return request;
}

Status BadParameter(std::string_view name, std::string_view want) {
  return absl::InvalidArgumentError(Cat("parameter '", name, "': ", want));
}

}  // namespace saferl::services
