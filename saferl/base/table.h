#pragma once
// Tables for people: aligned columns, colour only on a terminal that wants it.
//
// RT: no. Errors: none; a row with too few cells is filled with empty ones.

#include <string>
#include <string_view>
#include <vector>

namespace saferl {

enum class Colour { kNone, kGood, kWarning, kBad, kDim, kBold };

/// True when `fd` is a terminal and neither NO_COLOR nor TERM=dumb says otherwise.
bool WantsColour(int fd);
/// `text` in `colour` when `enabled`.
std::string Coloured(std::string_view text, Colour colour, bool enabled);

class Table {
 public:
  enum class Align { kLeft, kRight };
  /// A cell is a text, or a text with a colour: both convert by themselves.
  struct Cell {
    // NOLINTBEGIN(google-explicit-constructor)
    Cell(std::string text_in, Colour colour_in = Colour::kNone)
        : text(std::move(text_in)), colour(colour_in) {}
    Cell(const char* text_in) : text(text_in) {}
    // NOLINTEND(google-explicit-constructor)
    std::string text;
    Colour colour = Colour::kNone;
  };

  /// Headings; the first column is left-aligned, the others right-aligned unless SetAlign says
  /// otherwise.
  explicit Table(std::vector<std::string> headings);
  Table& SetAlign(size_t column, Align align);
  Table& Row(std::vector<Cell> cells);
  /// The whole table, each line ended by a newline.
  std::string Text(bool colour = false) const;

 private:
  std::vector<std::string> headings_;
  std::vector<Align> align_;
  std::vector<std::vector<Cell>> rows_;
};

/// `value` with `digits` significant digits, "-" for NaN.
std::string Significant(double value, int digits = 3);

}  // namespace saferl
