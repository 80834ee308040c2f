#include "saferl/services/inference/infer_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "saferl/base/json.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::vector<T> As(const Tensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

template <class T>
std::string Raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

TEST(InferMessage, JsonWithNestedDataAndFieldsInAnyOrder) {
  const auto request = DecodeInferRequest(
      R"({"outputs":[{"name":"action"}],"inputs":[{"data":[[1,2],[3,4.5]],"shape":[2,2],"name":"o","datatype":"FP32"}],
          "id":"7","parameters":{"sequence_id":3,"priority":1,"note":"x","rate":0.5,"sequence_start":true}})",
      std::nullopt);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->id, "7");
  EXPECT_THAT(As<float>(request->inputs[0]), ElementsAre(1, 2, 3, 4.5F));
  EXPECT_EQ(std::get<int64_t>(request->parameters.at("sequence_id")), 3);
  EXPECT_EQ(std::get<bool>(request->parameters.at("sequence_start")), true);
  EXPECT_EQ(std::get<double>(request->parameters.at("rate")), 0.5);
  ASSERT_EQ(request->outputs.size(), 1U);
  EXPECT_FALSE(request->outputs[0].binary);
}

TEST(InferMessage, EveryDatatypeSurvivesJsonAndBinary) {
  struct Case {
    const char *type, *data;
    size_t bytes;
  };
  const Case cases[] = {{"BOOL", "[true,0]", 2},
                        {"UINT8", "[0,255]", 2},
                        {"UINT16", "[0,65535]", 4},
                        {"UINT32", "[0,4294967295]", 8},
                        {"UINT64", "[0,18446744073709551615]", 16},
                        {"INT8", "[-128,127]", 2},
                        {"INT16", "[-32768,32767]", 4},
                        {"INT32", "[-2147483648,2147483647]", 8},
                        {"INT64", "[-9223372036854775808,9223372036854775807]", 16},
                        {"FP32", "[0.1,-1e30]", 8},
                        {"FP64", "[0.1,-1e300]", 16},
                        {"BYTES", R"(["ab",""])", 10}};
  for (const Case& c : cases) {
    const std::string body = std::string(R"({"inputs":[{"name":"x","shape":[2],"datatype":")") +
                             c.type + R"(","data":)" + c.data + "}]}";
    const auto first = DecodeInferRequest(body, std::nullopt);
    ASSERT_TRUE(first.ok()) << c.type << first.status();
    EXPECT_EQ(first->inputs[0].bytes.size(), c.bytes) << c.type;
    for (const bool binary : {false, true}) {
      // The response's outputs are made the next request's inputs: both forms carry the same bytes.
      InferRequest wish;
      wish.binary_output = binary;
      InferResponse response{.model_name = "m",
                             .model_version = "1",
                             .id = "i",
                             .parameters = {},
                             .outputs = first->inputs};
      EncodedResponse encoded = EncodeInferResponse(response, wish);
      EXPECT_EQ(encoded.header_length.has_value(), binary);
      const size_t json = encoded.header_length.value_or(encoded.body.size());
      std::string back = encoded.body;
      const std::string from = R"("model_name":"m","model_version":"1","id":"i","outputs")";
      const size_t at = back.find(from);
      ASSERT_NE(at, std::string::npos) << back;
      back.replace(at, from.size(), R"("inputs")");
      const size_t header = json - from.size() + std::strlen(R"("inputs")");
      const auto second =
          DecodeInferRequest(back, binary ? std::optional<size_t>(header) : std::nullopt);
      ASSERT_TRUE(second.ok()) << c.type << second.status() << back;
      EXPECT_EQ(second->inputs[0].bytes, first->inputs[0].bytes) << c.type;
    }
  }
}

TEST(InferMessage, BinaryTensorsFollowInInputOrder) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},)"
      R"({"name":"b","shape":[1],"datatype":"INT32","data":[5]},)"
      R"({"name":"c","shape":[1],"datatype":"FP16","parameters":{"binary_data_size":2}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const auto request =
      DecodeInferRequest(json + Raw<float>({1, 2}) + std::string("\x00\x3c", 2), json.size());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->binary_output);
  EXPECT_TRUE(request->parameters.empty());
  EXPECT_THAT(As<float>(request->inputs[0]), ElementsAre(1, 2));
  EXPECT_EQ(request->inputs[2].bytes.size(), 2U);
}

/// The numbers of a nested list, from a tree of the whole body.
void Flatten(const Node& node, std::vector<double>* values) {
  if (node.kind() != Node::Kind::kList) {
    values->push_back(node.AsDouble().value());
    return;
  }
  for (const Node& item : node.items()) Flatten(item, values);
}

TEST(InferMessage, NumbersReadStraightIntoATensorAreThoseOfATreeOfTheBody) {
  Random random(5, 1);
  for (int i = 0; i < 3000; ++i) {
    const int rows = 1 + random.Index(3), columns = 1 + random.Index(90);
    const bool nested = random.Chance(0.5), wide = random.Chance(0.5);
    std::string data = "[";
    for (int r = 0; r < rows; ++r) {
      if (r > 0) data += ",";
      if (nested) data += "[";
      for (int c = 0; c < columns; ++c) {
        const double value = std::ldexp(random.Normal(), random.Index(60) - 30);
        if (c > 0) data += random.Chance(0.1) ? " ,\n" : ",";
        data += random.Chance(0.3) ? Cat(std::round(value)) : Cat(value);
      }
      if (nested) data += "]";
    }
    data += "]";
    const std::string body =
        Cat(R"({"inputs":[{"name":"x","shape":[)", rows, ",", columns, R"(],"datatype":")",
            wide ? "FP64" : "FP32", R"(","data":)", data, "}]}");
    const auto request = DecodeInferRequest(body, std::nullopt);
    ASSERT_TRUE(request.ok()) << request.status() << body;
    const auto tree = ParseJson(data, "data");
    ASSERT_TRUE(tree.ok()) << tree.status();
    std::vector<double> expected;
    Flatten(*tree, &expected);
    const std::vector<float> narrow(expected.begin(), expected.end());
    ASSERT_EQ(request->inputs[0].bytes, wide ? Raw(expected) : Raw(narrow)) << body;
  }
}

TEST(InferMessage, ErrorsInALongListSayTheirLineAndWhatStandsThere) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "1.5,\n";
  struct Case {
    const char *rest, *says;
  };
  for (const Case& c : {
           Case{"01]", "body:101: '01' is no JSON value; quote it if it is a text"},
           Case{"1e39]", "body:101: 1e+39 does not fit the datatype; send FP64 or scale it"},
           Case{"-1e400]", "body:101: '-1e400' is too large or too small for a number"},
           Case{"1e-400]", "body:101: '1e-400' is too large or too small for a number"},
           Case{"null]", "body:101: expected a number, found 'null'"},
           Case{"NaN]", "body:101: 'NaN' is no JSON value; quote it if it is a text"},
           Case{"\"2\"]", "body:101: expected a value; add it or remove the comma before it"},
           Case{"]", "body:101: expected a value; add it or remove the comma before it"},
           Case{"2 3]", "body:101: expected ',' or ']'; check for a missing comma or bracket"},
           Case{"2", "body:101: expected ',' or ']'; check for a missing comma or bracket"},
           Case{"+2]", "body:101: '+2' is no JSON value; quote it if it is a text"},
           Case{".5]", "body:101: '.5' is no JSON value; quote it if it is a text"},
           Case{"2.]", "body:101: '2.' is no JSON value; quote it if it is a text"},
           Case{"2e]", "body:101: '2e' is no JSON value; quote it if it is a text"},
           Case{"0x2]", "body:101: '0x2' is no JSON value; quote it if it is a text"},
           Case{"{}]", "body:101: expected a value; add it or remove the comma before it"},
       }) {
    const auto request =
        DecodeInferRequest(Cat(R"({"inputs":[{"name":"a","shape":[101],"datatype":"FP32","data":[)",
                               many, c.rest, "}]}"),
                           std::nullopt);
    EXPECT_EQ(request.status().message(), c.says) << c.rest;
  }
}

TEST(InferMessage, AKeyThatComesTwiceIsRefusedWhereItStands) {
  const std::string input = R"("name":"a","shape":[1],"datatype":"FP32","data":[1])";
  for (const char* again : {R"("name":"a")", R"("shape":[1])", R"("datatype":"FP32")",
                            R"("data":[1])", R"("parameters":{},"parameters":{})"}) {
    EXPECT_THAT(DecodeInferRequest(Cat(R"({"inputs":[{)", input, ",", again, "}]}"), std::nullopt)
                    .status()
                    .message(),
                HasSubstr("appears twice"))
        << again;
  }
  for (const char* again :
       {R"("id":"","id":"")", R"("model_name":"","model_name":"")",
        R"("model_version":"","model_version":"")", R"("parameters":{},"parameters":{})",
        R"("inputs":[])", R"("outputs":[],"outputs":[])"}) {
    EXPECT_THAT(DecodeInferRequest(Cat(R"({"inputs":[{)", input, "}],", again, "}"), std::nullopt)
                    .status()
                    .message(),
                HasSubstr("appears twice"))
        << again;
  }
}

TEST(InferMessage, BadRequestsNameTheInputAndTheFix) {
  struct Case {
    const char *body, *says;
  };
  const std::string deep = R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":)" +
                           std::string(60, '[') + std::string(60, ']') + "}]}";
  const Case cases[] = {
      {"", "expected an object"},
      {"[]", "expected an object"},
      {"{}", "no inputs"},
      {R"({"inputs":{}})", "expected a list"},
      {R"({"inputs":[],"inputs":[]})", "twice"},
      {R"({"input":[]})", "no field 'input'"},
      {R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1]}]})",
       "1 elements of FP32 where its shape asks for 2"},
      {R"({"inputs":[{"name":"a","shape":[-1],"datatype":"FP32","data":[1]}]})", "negative"},
      {R"({"inputs":[{"name":"a","shape":[4611686018427387904,4],"datatype":"FP32","data":[1]}]})",
       "more than"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP31","data":[1]}]})", "FP31"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP16","data":[1]}]})",
       "binary data format"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"UINT8","data":[256]}]})", "256"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT32","data":[1.5]}]})", "1.5"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1e39]}]})", "fit"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[null]}]})", "number"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":["NaN"]}]})", "value"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32"}]})", "neither data"},
      {R"({"inputs":[{"name":"a","datatype":"FP32","data":[1]}]})", "needs shape"},
      {R"({"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]})", "without a name"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1],"dtype":"x"}]})",
       "dtype"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})",
       "bytes are left"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]},{"name":"a","shape":[1],"datatype":"FP32","data":[1]}]})",
       "twice"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"o"},{"name":"o"}]})",
       "twice"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]}]} x)", "after the end"},
      {R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1)", "expected ','"},
      {deep.c_str(), "deeper"},
  };
  for (const Case& c : cases) {
    const auto request = DecodeInferRequest(c.body, std::nullopt);
    ASSERT_FALSE(request.ok()) << c.body;
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(request.status().ToString(), HasSubstr(c.says)) << c.body;
  }
}

TEST(InferMessage, HeaderLengthsOutOfRangeAndRestBytesAreRefused) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})";
  EXPECT_THAT(DecodeInferRequest(json, json.size() + 1).status().ToString(),
              HasSubstr("beyond the body"));
  EXPECT_THAT(DecodeInferRequest(json + "12345", json.size()).status().ToString(),
              HasSubstr("1 bytes after"));
  EXPECT_THAT(DecodeInferRequest(json + "123", json.size()).status().ToString(),
              HasSubstr("3 bytes are left"));
  EXPECT_TRUE(DecodeInferRequest(json + "1234", json.size()).ok());
  const std::string bytes =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]})";
  EXPECT_THAT(DecodeInferRequest(bytes + std::string("\xff\xff\xff\xffx", 5), bytes.size())
                  .status()
                  .ToString(),
              HasSubstr("beyond the data"));
}

TEST(InferMessage, ASingleOutputMayBeBinaryBesideJsonOnes) {
  InferRequest request;
  request.outputs = {{"a", true, 0}, {"b", false, 0}};
  InferResponse response;
  response.model_name = "m";
  response.id = "x";
  response.outputs = {{"a", DataType::kFp32, {2}, Raw<float>({1, 2}), {}},
                      {"b", DataType::kFp32, {1}, Raw<float>({0.1F}), {}}};
  const EncodedResponse encoded = EncodeInferResponse(response, request);
  ASSERT_TRUE(encoded.header_length.has_value());
  const auto json = ParseJson(encoded.body.substr(0, *encoded.header_length), "response");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(encoded.body.size() - *encoded.header_length, 8U);
  EXPECT_THAT(encoded.body, HasSubstr(R"("binary_data_size":8)"));
  EXPECT_THAT(encoded.body, HasSubstr(R"("data":[0.1])"));
}

}  // namespace
}  // namespace saferl::services
