// OIP messages between protobuf and InferRequest, InferResponse.
#include <google/protobuf/stubs/logging.h>

#include <cstring>
#include <limits>
#include <set>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/inference/oip.pb.h"
#include "saferl/services/inference/oip_grpc.h"

namespace saferl::services {
namespace {

using ProtoParameters = google::protobuf::Map<std::string, inference::InferParameter>;

Status Bad(std::string text) { return absl::InvalidArgumentError(text); }

Status ReadParameters(const ProtoParameters& from, Parameters* to) {
  for (const auto& [key, value] : from) {
    using P = inference::InferParameter;
    switch (value.parameter_choice_case()) {
      case P::kBoolParam:
        (*to)[key] = value.bool_param();
        break;
      case P::kInt64Param:
        (*to)[key] = value.int64_param();
        break;
      case P::kStringParam:
        (*to)[key] = value.string_param();
        break;
      case P::kDoubleParam:
        (*to)[key] = value.double_param();
        break;
      case P::kUint64Param:
        // What int64 cannot hold keeps its digits as a text, which is enough for an id.
        if (value.uint64_param() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
          (*to)[key] = static_cast<int64_t>(value.uint64_param());
        } else {
          (*to)[key] = Cat(value.uint64_param());
        }
        break;
      case P::PARAMETER_CHOICE_NOT_SET:
        return Bad(Cat("parameter '", JsonEscape(key), "': has no value; give one"));
    }
  }
  return absl::OkStatus();
}

template <class T, class From>
Status TakeNumbers(const From& from, Tensor* tensor) {
  tensor->bytes.resize(static_cast<size_t>(from.size()) * sizeof(T));
  char* at = tensor->bytes.data();
  for (const auto value : from) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!std::in_range<T>(value))
        return Bad(Cat("input '", JsonEscape(tensor->name), "': ", value, " is beyond ",
                       Name(tensor->type)));
    }
    const T narrow = static_cast<T>(value);
    std::memcpy(at, &narrow, sizeof(T));
    at += sizeof(T);
  }
  return absl::OkStatus();
}

/// Elements that stand in fields of other types than the tensor's.
int Misplaced(const inference::InferTensorContents& c, int own) {
  return c.bool_contents_size() + c.int_contents_size() + c.int64_contents_size() +
         c.uint_contents_size() + c.uint64_contents_size() + c.fp32_contents_size() +
         c.fp64_contents_size() + c.bytes_contents_size() - own;
}

Status TakeContents(const inference::InferTensorContents& c, Tensor* tensor, int* own) {
  const auto numbers = [&]<class T>(T, const auto& field) {
    *own = field.size();
    return TakeNumbers<T>(field, tensor);
  };
  switch (tensor->type) {
    case DataType::kBool:
      return numbers(bool{}, c.bool_contents());
    case DataType::kInt8:
      return numbers(int8_t{}, c.int_contents());
    case DataType::kInt16:
      return numbers(int16_t{}, c.int_contents());
    case DataType::kInt32:
      return numbers(int32_t{}, c.int_contents());
    case DataType::kInt64:
      return numbers(int64_t{}, c.int64_contents());
    case DataType::kUint8:
      return numbers(uint8_t{}, c.uint_contents());
    case DataType::kUint16:
      return numbers(uint16_t{}, c.uint_contents());
    case DataType::kUint32:
      return numbers(uint32_t{}, c.uint_contents());
    case DataType::kUint64:
      return numbers(uint64_t{}, c.uint64_contents());
    case DataType::kFp32:
      return numbers(float{}, c.fp32_contents());
    case DataType::kFp64:
      return numbers(double{}, c.fp64_contents());
    case DataType::kBytes:
      *own = c.bytes_contents_size();
      for (const std::string& element : c.bytes_contents()) {
        const auto length = static_cast<uint32_t>(element.size());
        tensor->bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
        tensor->bytes += element;
      }
      return absl::OkStatus();
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kCount:
      break;
  }
  return Bad(Cat("input '", JsonEscape(tensor->name), "': ", Name(tensor->type),
                 " has no typed contents; send raw_input_contents"));
}

Status ReadInput(inference::ModelInferRequest::InferInputTensor* from, std::string* raw,
                 Tensor* tensor) {
  if (from->name().empty()) return Bad("input without a name; add it");
  tensor->name = std::move(*from->mutable_name());
  SAFERL_ASSIGN_OR_RETURN(tensor->type, ParseDataType(from->datatype()));
  tensor->shape.assign(from->shape().begin(), from->shape().end());
  SAFERL_RETURN_IF_ERROR(ReadParameters(from->parameters(), &tensor->parameters));
  if (raw != nullptr) {
    if (from->has_contents())
      return Bad(Cat("input '", JsonEscape(tensor->name),
                     "': has contents beside raw_input_contents; send one of them"));
    tensor->bytes = std::move(*raw);
  } else {
    int own = 0;
    SAFERL_RETURN_IF_ERROR(TakeContents(from->contents(), tensor, &own));
    if (Misplaced(from->contents(), own) != 0)
      return Bad(Cat("input '", JsonEscape(tensor->name), "': ", Name(tensor->type),
                     " in contents of another type; use its own field"));
  }
  return CheckTensor(*tensor);
}

void WriteParameters(const Parameters& from, ProtoParameters* to) {
  for (const auto& [key, value] : from) {
    inference::InferParameter& parameter = (*to)[key];
    if (const auto* truth = std::get_if<bool>(&value)) parameter.set_bool_param(*truth);
    if (const auto* whole = std::get_if<int64_t>(&value)) parameter.set_int64_param(*whole);
    if (const auto* text = std::get_if<std::string>(&value)) parameter.set_string_param(*text);
    if (const auto* real = std::get_if<double>(&value)) parameter.set_string_param(Cat(*real));
  }
}

}  // namespace

StatusOr<InferRequest> FromProto(inference::ModelInferRequest* message) {
  InferRequest request;
  request.id = std::move(*message->mutable_id());
  SAFERL_RETURN_IF_ERROR(ReadParameters(message->parameters(), &request.parameters));
  const int count = message->inputs_size(), raw = message->raw_input_contents_size();
  if (count == 0) return Bad("inputs: none; give at least one");
  if (count > 64) return Bad("inputs: more than 64");
  if (message->outputs_size() > 64) return Bad("outputs: more than 64");
  if (raw != 0 && raw != count)
    return Bad(Cat("raw_input_contents: ", raw, " where there are ", count,
                   " inputs; send all raw, in their order, or none"));
  std::set<std::string> names;
  request.inputs.resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Tensor& tensor = request.inputs[static_cast<size_t>(i)];
    SAFERL_RETURN_IF_ERROR(ReadInput(message->mutable_inputs(i),
                                     raw == 0 ? nullptr : message->mutable_raw_input_contents(i),
                                     &tensor));
    if (count > 1 && !names.insert(tensor.name).second)
      return Bad(Cat("input '", JsonEscape(tensor.name), "' appears twice; keep one"));
  }
  names.clear();
  for (inference::ModelInferRequest::InferRequestedOutputTensor& output :
       *message->mutable_outputs()) {
    OutputWish& wish = request.outputs.emplace_back();
    wish.name = std::move(*output.mutable_name());
    wish.binary = true;
    if (wish.name.empty()) return Bad("output without a name; add it");
    if (!names.insert(wish.name).second)
      return Bad(Cat("output '", JsonEscape(wish.name), "' appears twice; keep one"));
    const auto labels = output.parameters().find("classification");
    if (labels != output.parameters().end()) wish.classification = labels->second.int64_param();
  }
  return request;
}

void ToProto(InferResponse response, inference::ModelInferResponse* message) {
  message->set_model_name(std::move(response.model_name));
  message->set_model_version(std::move(response.model_version));
  message->set_id(std::move(response.id));
  WriteParameters(response.parameters, message->mutable_parameters());
  for (Tensor& tensor : response.outputs) {
    inference::ModelInferResponse::InferOutputTensor* output = message->add_outputs();
    output->set_name(std::move(tensor.name));
    output->set_datatype(std::string(Name(tensor.type)));
    output->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    WriteParameters(tensor.parameters, output->mutable_parameters());
    message->add_raw_output_contents(std::move(tensor.bytes));
  }
}

Status NoMessage() {
  return Bad("message: is no inference.ModelInferRequest; check the client's .proto");
}

void QuietProtobuf() {
  static const bool once = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)once;
}

StatusOr<InferRequest> DecodeInferProto(std::string_view wire) {
  QuietProtobuf();
  inference::ModelInferRequest message;
  if (wire.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(wire.data(), static_cast<int>(wire.size())))
    return NoMessage();
  return FromProto(&message);
}

std::string EncodeInferProto(InferResponse response) {
  inference::ModelInferResponse message;
  ToProto(std::move(response), &message);
  return message.SerializeAsString();
}

}  // namespace saferl::services
