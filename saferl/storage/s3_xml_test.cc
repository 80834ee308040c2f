#include "saferl/storage/s3_xml.h"

#include <gtest/gtest.h>

#include <string>

namespace saferl::storage {
namespace {

using absl::StatusCode;

TEST(S3XmlTest, ATreeOfNamesAndDecodedTexts) {
  const auto root = ParseXml(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- c --><s3:A xmlns:s3='u' b=\"x>y\"> 1 "
      "<B>&lt;&#65;&#x1F600;&amp;amp;</B><C/><C >two</C>2</s3:A>\n<!-- end -->\n");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->name, "A");
  EXPECT_EQ(root->text, " 1 2");
  EXPECT_EQ(root->Text("B"), "<A\xf0\x9f\x98\x80&amp;");
  ASSERT_EQ(root->children.size(), 3U);
  EXPECT_EQ(root->children[1].text, "");
  EXPECT_EQ(root->children[2].text, "two");
  EXPECT_EQ(root->Text("D"), "");
}

TEST(S3XmlTest, WhatIsCutShortForbiddenOrTooLargeIsRefused) {
  std::string deep, wide = "<a>";
  for (int i = 0; i < 20; ++i) deep += "<a>";
  for (int i = 0; i < 100'001; ++i) wide += "<b/>";
  wide += "</a>";
  for (const std::string& text : {std::string(),
                                  std::string("text"),
                                  std::string("<a>"),
                                  std::string("<a></b>"),
                                  std::string("</a>"),
                                  std::string("<a>&b;</a>"),
                                  std::string("<a>&#0;</a>"),
                                  std::string("<a>&#xD800;</a>"),
                                  std::string("<a>&#1114112;</a>"),
                                  std::string("<a>&lt</a>"),
                                  std::string("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
                                  std::string("<a><![CDATA[x]]></a>"),
                                  std::string("<a/><a/>"),
                                  std::string("<a/>x"),
                                  std::string("<a b='></a>"),
                                  std::string("<>"),
                                  std::string("<a"),
                                  std::string("<a <b>"),
                                  deep,
                                  wide}) {
    EXPECT_EQ(ParseXml(text).status().code(), StatusCode::kUnavailable) << text.substr(0, 60);
  }
}

TEST(S3XmlTest, APageOfAListAndItsNext) {
  const auto page = ParseS3Page(
      "<ListBucketResult xmlns=\"u\"><IsTruncated>true</IsTruncated><NextContinuationToken>a+/="
      "</NextContinuationToken><Contents><Key>p/&amp;</Key><Size>12</Size></Contents>"
      "<Contents><Key>q</Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[0].key, "p/&");
  EXPECT_EQ(page->objects[0].size, 12U);
  EXPECT_EQ(page->next_token, "a+/=");
}

TEST(S3XmlTest, APageThatContradictsItselfIsRefused) {
  for (const char* text :
       {"<Error><Code>AccessDenied</Code></Error>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size></Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>99999999999999999999</Size></Contents>"
        "</ListBucketResult>"}) {
    EXPECT_EQ(ParseS3Page(text).status().code(), StatusCode::kUnavailable) << text;
  }
}

TEST(S3XmlTest, EscapedTextComesBackTheSame) {
  const std::string odd = "\"a&b<c>'d\"";
  EXPECT_EQ(ParseXml("<a>" + EscapeXml(odd) + "</a>")->text, odd);
}

}  // namespace
}  // namespace saferl::storage
