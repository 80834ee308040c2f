// Runs a fuzz target without libFuzzer: every file of its corpus, every truncation of the small
// ones, then a fixed number of seeded mutations. So each parser meets hostile bytes in every
// ordinary test run, with any compiler.
//
//   thing_fuzz CORPUS_DIR RUNS
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "saferl/base/file.h"
#include "saferl/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using saferl::Random;

constexpr size_t kMaxBytes = 1 << 16;

void RunOne(const std::string& input) {
  // A copy of exactly this size: reading past its end is visible to a sanitizer.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutated(const std::vector<std::string>& corpus, Random* random) {
  const auto pick = [&](size_t n) {
    return static_cast<size_t>(random->Index(static_cast<int>(n)));
  };
  std::string text = corpus[pick(corpus.size())];
  for (int edits = 1 + random->Index(4); edits > 0; --edits) {
    const size_t at = pick(text.size() + 1);
    switch (random->Index(6)) {
      case 0:  // flip a bit
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random->Index(8)));
        break;
      case 1:  // a byte that parsers care about, or any
        text.insert(at, 1,
                    random->Chance(0.5) ? "{}[]:,\"'\n-0.e<>/\0\xff"[pick(19)]
                                        : static_cast<char>(random->Index(256)));
        break;
      case 2:  // cut a piece
        text.erase(at, pick(16) + 1);
        break;
      case 3:  // repeat a piece
        text.insert(at, text.substr(at, pick(32) + 1));
        break;
      case 4:  // cut the end
        text.resize(at);
        break;
      default: {  // splice with another input
        const std::string& other = corpus[pick(corpus.size())];
        text = text.substr(0, at) + other.substr(pick(other.size() + 1));
      }
    }
  }
  if (text.size() > kMaxBytes) text.resize(kMaxBytes);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s CORPUS_DIR RUNS\n", argv[0]);
    return 2;
  }
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
    files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus = {""};
  for (const std::string& file : files) {
    saferl::StatusOr<std::string> text = saferl::ReadFile(file);
    if (!text.ok()) {
      std::fprintf(stderr, "%s: cannot read\n", file.c_str());
      return 3;
    }
    RunOne(*text);
    if (text->size() <= 512) {
      for (size_t n = 0; n < text->size(); ++n) RunOne(text->substr(0, n));
    }
    corpus.push_back(*std::move(text));
  }
  Random random(1);
  const int runs = std::atoi(argv[2]);
  for (int i = 0; i < runs; ++i) RunOne(Mutated(corpus, &random));
  std::printf("%zu corpus files, %d mutations\n", files.size(), runs);
  return 0;
}
