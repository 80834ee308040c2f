#include "saferl/base/table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace saferl {
namespace {

/// Columns that a UTF-8 text takes on screen, one per code point.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

bool WantsColour(int fd) {
  const char* term = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  return ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::string Coloured(std::string_view text, Colour colour, bool enabled) {
  const char* code = "";
  switch (colour) {
    case Colour::kNone:
      break;
    case Colour::kGood:
      code = "32";
      break;
    case Colour::kWarning:
      code = "33";
      break;
    case Colour::kBad:
      code = "31";
      break;
    case Colour::kDim:
      code = "2";
      break;
    case Colour::kBold:
      code = "1";
      break;
  }
  if (!enabled || *code == '\0') return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, fmt::string_view(text.data(), text.size()));
}

Table::Table(std::vector<std::string> headings)
    : headings_(std::move(headings)), align_(headings_.size(), Align::kRight) {
  if (!align_.empty()) align_[0] = Align::kLeft;
}

Table& Table::SetAlign(size_t column, Align align) {
  if (column < align_.size()) align_[column] = align;
  return *this;
}

Table& Table::Row(std::vector<Cell> cells) {
  cells.resize(headings_.size(), Cell(""));
  rows_.push_back(std::move(cells));
  return *this;
}

std::string Table::Text(bool colour) const {
  std::vector<size_t> width;
  for (const std::string& heading : headings_) width.push_back(Width(heading));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < width.size(); ++i) width[i] = std::max(width[i], Width(row[i].text));
  }
  const auto line = [&](const auto& cell_at, bool heading) {
    std::string out;
    for (size_t i = 0; i < width.size(); ++i) {
      const Cell cell = cell_at(i);
      const std::string fill(width[i] - Width(cell.text), ' ');
      const std::string text = Coloured(cell.text, heading ? Colour::kBold : cell.colour, colour);
      if (i > 0) out += "  ";
      out += align_[i] == Align::kLeft ? text + fill : fill + text;
    }
    while (out.ends_with(' ')) out.pop_back();
    return out + "\n";
  };
  std::string text = line([&](size_t i) { return Cell(headings_[i]); }, true);
  size_t total = 0;
  for (size_t w : width) total += w + 2;
  text += std::string(total < 2 ? 0 : total - 2, '-') + "\n";
  for (const auto& row : rows_) {
    text += line([&](size_t i) { return row[i]; }, false);
  }
  return text;
}

std::string Significant(double value, int digits) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits);
}

}  // namespace saferl
