#include "saferl/services/mlflow/filter.h"

#include <algorithm>

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::services::mlflow {
namespace {

using registry::Condition;
using registry::Order;

constexpr size_t kMaxFilter = 10'000, kMaxConditions = 50;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lower;
}

struct Token {
  enum class Kind { kWord, kText, kMark, kEnd } kind = Kind::kEnd;
  std::string text;
};

Status Bad(std::string_view problem) {
  return absl::InvalidArgumentError(
      Cat("filter: ", problem, "; write for example: name = 'arm' AND tags.site = 'zurich'"));
}

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '/';
}

/// Quotes within a word ("tags.`a key`") belong to it.
StatusOr<std::vector<Token>> Tokens(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == ' ' || c == '\t' || c == '\n') {
      ++i;
    } else if (c == '\'' || c == '"' || c == '`') {
      const size_t end = text.find(c, i + 1);
      if (end == std::string_view::npos) return Bad("a quote does not end");
      const std::string_view inner = text.substr(i + 1, end - i - 1);
      const bool of_word = !tokens.empty() && tokens.back().kind == Token::Kind::kWord &&
                           tokens.back().text.ends_with(".") && i > 0 && text[i - 1] == '.';
      if (of_word) {
        tokens.back().text += inner;
      } else {
        tokens.push_back({c == '`' ? Token::Kind::kWord : Token::Kind::kText, std::string(inner)});
      }
      i = end + 1;
    } else if (IsWordChar(c)) {
      size_t end = i;
      while (end < text.size() && IsWordChar(text[end])) ++end;
      tokens.push_back({Token::Kind::kWord, std::string(text.substr(i, end - i))});
      i = end;
    } else {
      const bool two =
          i + 1 < text.size() && (text.substr(i, 2) == "!=" || text.substr(i, 2) == "<>");
      if (!two && c != '=' && c != '(' && c != ')' && c != ',')
        return Bad(Cat("'", JsonEscape(text.substr(i, 1)), "' is not understood"));
      tokens.push_back({Token::Kind::kMark, std::string(text.substr(i, two ? 2 : 1))});
      i += two ? 2 : 1;
    }
  }
  tokens.push_back({});
  return tokens;
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, bool versions)
      : tokens_(std::move(tokens)), versions_(versions) {}

  StatusOr<std::vector<Condition>> Parse() {
    std::vector<Condition> all;
    while (Here().kind != Token::Kind::kEnd) {
      if (!all.empty()) {
        if (Lower(Here().text) != "and" || Here().kind != Token::Kind::kWord)
          return Bad(Cat("'", JsonEscape(Here().text.substr(0, 40)), "' where AND is expected"));
        ++at_;
      }
      SAFERL_ASSIGN_OR_RETURN(Condition condition, One());
      all.push_back(std::move(condition));
      if (all.size() > kMaxConditions) return Bad(Cat("more than ", kMaxConditions, " conditions"));
    }
    return all;
  }

 private:
  const Token& Here() const { return tokens_[at_]; }
  Token Take() {
    Token token = tokens_[at_];
    if (token.kind != Token::Kind::kEnd) ++at_;
    return token;
  }

  StatusOr<Condition> One() {
    Condition c;
    const Token name = Take();
    if (name.kind != Token::Kind::kWord) return Bad("a condition begins with a name");
    SAFERL_RETURN_IF_ERROR(Field(name.text, &c));
    SAFERL_RETURN_IF_ERROR(Operator(&c));
    if (c.op != Condition::Op::kIn) {
      SAFERL_ASSIGN_OR_RETURN(std::string value, Value(c));
      c.values.push_back(std::move(value));
      return c;
    }
    if (Take().text != "(") return Bad("IN takes a list in parentheses");
    do {
      SAFERL_ASSIGN_OR_RETURN(std::string value, Value(c));
      c.values.push_back(std::move(value));
      if (c.values.size() > 1000) return Bad("more than 1000 values in IN");
    } while (Here().text == "," && Take().kind == Token::Kind::kMark);
    if (Take().text != ")") return Bad("a list ends with )");
    return c;
  }

  Status Field(const std::string& name, Condition* c) const {
    const std::string lower = Lower(name);
    for (const std::string_view prefix : {"tags.", "tag."}) {
      if (!lower.starts_with(prefix)) continue;
      c->field = Condition::Field::kTag;
      c->key = name.substr(prefix.size());
      return c->key.empty() ? Bad("a tag without a key") : absl::OkStatus();
    }
    if (lower == "name") {
      c->field = Condition::Field::kName;
    } else if (versions_ && lower == "run_id") {
      c->field = Condition::Field::kRunId;
    } else if (versions_ && lower == "source_path") {
      c->field = Condition::Field::kDigest;
    } else if (versions_ && lower == "version_number") {
      c->field = Condition::Field::kNumber;
    } else if (versions_ && lower == "current_stage") {
      c->field = Condition::Field::kStage;
    } else {
      return Bad(Cat("'", JsonEscape(name.substr(0, 40)), "' is not one of name, tags.KEY",
                     versions_ ? ", run_id, source_path, version_number, current_stage" : ""));
    }
    return absl::OkStatus();
  }

  Status Operator(Condition* c) {
    const Token token = Take();
    const std::string word = Lower(token.text);
    using Op = Condition::Op;
    if (token.kind == Token::Kind::kMark && word == "=") {
      c->op = Op::kEqual;
    } else if (token.kind == Token::Kind::kMark && (word == "!=" || word == "<>")) {
      c->op = Op::kNotEqual;
    } else if (token.kind == Token::Kind::kWord && word == "like") {
      c->op = Op::kLike;
    } else if (token.kind == Token::Kind::kWord && word == "ilike") {
      c->op = Op::kLikeAnyCase;
    } else if (token.kind == Token::Kind::kWord && word == "in") {
      c->op = Op::kIn;
    } else {
      return Bad(
          Cat("'", JsonEscape(token.text.substr(0, 40)), "' is not one of =, !=, LIKE, ILIKE, IN"));
    }
    const bool like = c->op == Op::kLike || c->op == Op::kLikeAnyCase;
    if (like && c->field == Condition::Field::kNumber) return Bad("version_number takes = and IN");
    return absl::OkStatus();
  }

  StatusOr<std::string> Value(const Condition& c) {
    const Token token = Take();
    const bool number = c.field == Condition::Field::kNumber && token.kind == Token::Kind::kWord;
    if (token.kind != Token::Kind::kText && !number) return Bad("a value is a text in quotes");
    // Sources are digests here; both spellings find one.
    if (c.field == Condition::Field::kDigest && token.text.starts_with("sha256:"))
      return token.text.substr(7);
    return token.text;
  }

  std::vector<Token> tokens_;
  bool versions_;
  size_t at_ = 0;
};

}  // namespace

StatusOr<std::vector<Condition>> ParseFilter(std::string_view filter, bool versions) {
  if (filter.size() > kMaxFilter) return Bad(Cat("longer than ", kMaxFilter, " bytes"));
  SAFERL_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokens(filter));
  return Parser(std::move(tokens), versions).Parse();
}

StatusOr<std::vector<Order>> ParseOrder(const std::vector<std::string>& order_by, bool versions) {
  std::vector<Order> all;
  for (const std::string& text : order_by) {
    SAFERL_ASSIGN_OR_RETURN(const std::vector<Token> tokens, Tokens(text));
    const std::string direction = tokens.size() == 3 ? Lower(tokens[1].text) : "";
    if (tokens.size() < 2 || tokens.size() > 3 ||
        (tokens.size() == 3 && direction != "asc" && direction != "desc"))
      return absl::InvalidArgumentError(
          Cat("order_by: '", JsonEscape(text.substr(0, 80)), "' is not FIELD [ASC|DESC]"));
    Order order;
    order.descending = direction == "desc";
    const std::string field = Lower(tokens[0].text);
    if (field == "name") {
      order.by = Order::By::kName;
    } else if (field == "creation_timestamp") {
      order.by = Order::By::kCreated;
    } else if (field == "last_updated_timestamp" || field == "timestamp") {
      order.by = Order::By::kUpdated;
    } else if (versions && field == "version_number") {
      order.by = Order::By::kNumber;
    } else {
      return absl::InvalidArgumentError(
          Cat("order_by: '", JsonEscape(field.substr(0, 40)),
              "' is not one of name, creation_timestamp, last_updated_timestamp",
              versions ? ", version_number" : ""));
    }
    all.push_back(order);
    if (all.size() > 5) return absl::InvalidArgumentError("order_by: more than 5 fields");
  }
  return all;
}

}  // namespace saferl::services::mlflow
