#include <cstring>

#include "saferl/base/json.h"
#include "saferl/services/inference/infer_message.h"

namespace saferl::services {
namespace {

template <class T>
void WriteElements(const std::string& bytes, JsonWriter* w) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    w->Value(value);
  }
}

void WriteBytes(const std::string& bytes, JsonWriter* w) {
  for (size_t at = 0; at + sizeof(uint32_t) <= bytes.size();) {
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    at += sizeof(length);
    w->Value(std::string_view(bytes).substr(at, length));
    at += length;
  }
}

void WriteData(const Tensor& tensor, JsonWriter* w) {
  w->Key("data").BeginArray();
  switch (tensor.type) {
    case DataType::kBool:
      for (const char c : tensor.bytes) w->Value(c != 0);
      break;
    case DataType::kUint8:
      WriteElements<uint8_t>(tensor.bytes, w);
      break;
    case DataType::kUint16:
      WriteElements<uint16_t>(tensor.bytes, w);
      break;
    case DataType::kUint32:
      WriteElements<uint32_t>(tensor.bytes, w);
      break;
    case DataType::kUint64:
      WriteElements<uint64_t>(tensor.bytes, w);
      break;
    case DataType::kInt8:
      WriteElements<int8_t>(tensor.bytes, w);
      break;
    case DataType::kInt16:
      WriteElements<int16_t>(tensor.bytes, w);
      break;
    case DataType::kInt32:
      WriteElements<int32_t>(tensor.bytes, w);
      break;
    case DataType::kInt64:
      WriteElements<int64_t>(tensor.bytes, w);
      break;
    case DataType::kFp32:
      WriteElements<float>(tensor.bytes, w);
      break;
    case DataType::kFp64:
      WriteElements<double>(tensor.bytes, w);
      break;
    case DataType::kBytes:
      WriteBytes(tensor.bytes, w);
      break;
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kCount:
      break;
  }
  w->EndArray();
}

void WriteParameters(const Parameters& parameters, JsonWriter* w) {
  for (const auto& [key, value] : parameters) {
    w->Key(key);
    std::visit([w](const auto& v) { w->Value(v); }, value);
  }
}

bool HasJsonForm(DataType type) { return type != DataType::kFp16 && type != DataType::kBf16; }

bool WantsBinary(const Tensor& tensor, const InferRequest& request) {
  if (!HasJsonForm(tensor.type)) return true;
  for (const OutputWish& output : request.outputs) {
    if (output.name == tensor.name) return output.binary;
  }
  return request.binary_output;
}

}  // namespace

EncodedResponse EncodeInferResponse(const InferResponse& response, const InferRequest& request) {
  JsonWriter w;
  std::string raw;
  bool binary = false;
  w.BeginObject().Field("model_name", response.model_name);
  if (!response.model_version.empty()) w.Field("model_version", response.model_version);
  w.Field("id", response.id);
  if (!response.parameters.empty()) {
    w.Key("parameters").BeginObject();
    WriteParameters(response.parameters, &w);
    w.EndObject();
  }
  w.Key("outputs").BeginArray();
  for (const Tensor& tensor : response.outputs) {
    const bool as_raw = WantsBinary(tensor, request);
    w.BeginObject().Field("name", tensor.name).Field("datatype", Name(tensor.type));
    w.Field("shape", tensor.shape);
    if (as_raw || !tensor.parameters.empty()) {
      w.Key("parameters").BeginObject();
      WriteParameters(tensor.parameters, &w);
      if (as_raw) w.Field("binary_data_size", tensor.bytes.size());
      w.EndObject();
    }
    if (as_raw) {
      binary = true;
      raw += tensor.bytes;
    } else {
      WriteData(tensor, &w);
    }
    w.EndObject();
  }
  EncodedResponse encoded;
  encoded.body = w.EndArray().EndObject().Take();
  if (binary) encoded.header_length = encoded.body.size();
  encoded.body += raw;
  return encoded;
}

}  // namespace saferl::services
