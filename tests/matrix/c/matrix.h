// Implements every function of `values`, and calls every one of the node that it has a handle of: in the C that is C++ too.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lp.h"

#define SCALAR(name, type) \
  type exports_test_matrix_values_echo_##name(type v) { return v; }
SCALAR(bool, bool)
SCALAR(u8, uint8_t)
SCALAR(s8, int8_t)
SCALAR(u16, uint16_t)
SCALAR(s16, int16_t)
SCALAR(u32, uint32_t)
SCALAR(s32, int32_t)
SCALAR(u64, uint64_t)
SCALAR(s64, int64_t)
SCALAR(f32, float)
SCALAR(f64, double)
SCALAR(char, uint32_t)
SCALAR(colour, exports_test_matrix_values_colour_t)
SCALAR(few, exports_test_matrix_values_few_t)
SCALAR(many, exports_test_matrix_values_many_t)

// What an exported function is given is its own; what it returns is freed after.
#define MOVED(name, type) \
  void exports_test_matrix_values_echo_##name(type *v, type *ret) { *ret = *v; }
MOVED(string, lp_node_string_t)
MOVED(bytes, lp_node_list_u8_t)
MOVED(u32s, lp_node_list_u32_t)
MOVED(s64s, lp_node_list_s64_t)
MOVED(f64s, lp_node_list_f64_t)
MOVED(strings, lp_node_list_string_t)
MOVED(lists, lp_node_list_list_u16_t)
MOVED(point, exports_test_matrix_values_point_t)
MOVED(sample, exports_test_matrix_values_sample_t)
MOVED(batch, exports_test_matrix_values_batch_t)
MOVED(options, lp_node_list_option_bool_t)
MOVED(shape, exports_test_matrix_values_shape_t)
MOVED(shapes, exports_test_matrix_values_list_shape_t)
MOVED(tuple, lp_node_tuple3_u8_string_f32_t)
MOVED(pairs, lp_node_list_tuple2_string_u32_t)
MOVED(results, exports_test_matrix_values_list_result_u32_string_t)

bool exports_test_matrix_values_echo_option(uint32_t *v, uint32_t *ret) {
  if (v != NULL) *ret = *v;
  return v != NULL;
}

bool exports_test_matrix_values_echo_nested_option(lp_node_option_string_t *v, lp_node_option_string_t *ret) {
  if (v != NULL) *ret = *v;
  return v != NULL;
}

bool exports_test_matrix_values_echo_result(bool ok, lp_node_string_t *v, lp_node_string_t *ret,
                                            exports_test_matrix_values_colour_t *err) {
  if (ok) {
    *ret = *v;
    return true;
  }
  lp_node_string_free(v);
  *err = EXPORTS_TEST_MATRIX_VALUES_COLOUR_BLUE;
  return false;
}

void exports_test_matrix_values_echo_mixed(uint8_t a, lp_node_string_t *b, double c, uint64_t *d, lp_node_list_u8_t *e,
                                           lp_node_tuple5_u8_string_f64_option_u64_list_u8_t *ret) {
  ret->f0 = a;
  ret->f1 = *b;
  ret->f2 = c;
  ret->f3.is_some = d != NULL;
  if (d != NULL) ret->f3.val = *d;
  ret->f4 = *e;
}

uint32_t exports_test_matrix_values_count(lp_node_list_u8_t *v, uint8_t of) {
  uint32_t found = 0;
  for (size_t i = 0; i < v->len; i++) found += v->ptr[i] == of;
  lp_node_list_u8_free(v);
  return found;
}

void exports_test_matrix_values_nothing(void) {}

static void check(const char *name, bool is_same) {
  if (is_same) return;
  fprintf(stderr, "error: %s came back changed\n", name);
  abort();
}

static bool same_text(lp_node_string_t a, lp_node_string_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

// The same bits, so that zeros have a sign; but a NaN may become another one.
static bool same_float(double a, double b) { return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0; }

static bool same_point(test_matrix_values_point_t a, test_matrix_values_point_t b) {
  return same_float(a.x, b.x) && same_float(a.y, b.y);
}

static bool same_sample(test_matrix_values_sample_t a, test_matrix_values_sample_t b) {
  bool same = same_text(a.name, b.name) && a.id == b.id && same_point(a.at, b.at) && a.tags.len == b.tags.len &&
              a.note.is_some == b.note.is_some;
  for (size_t i = 0; same && i < a.tags.len; i++) same = same_text(a.tags.ptr[i], b.tags.ptr[i]);
  return same && (!a.note.is_some || same_text(a.note.val, b.note.val));
}

static bool same_shape(test_matrix_values_shape_t a, test_matrix_values_shape_t b) {
  if (a.tag != b.tag) return false;
  switch (a.tag) {
    case TEST_MATRIX_VALUES_SHAPE_CIRCLE: return same_float(a.val.circle, b.val.circle);
    case TEST_MATRIX_VALUES_SHAPE_NAMED: return same_text(a.val.named, b.val.named);
    case TEST_MATRIX_VALUES_SHAPE_POLYGON: {
      bool same = a.val.polygon.len == b.val.polygon.len;
      for (size_t i = 0; same && i < a.val.polygon.len; i++) {
        same = same_point(a.val.polygon.ptr[i], b.val.polygon.ptr[i]);
      }
      return same;
    }
    default: return true;
  }
}

static uint32_t largest_u32 = UINT32_MAX;
static uint64_t largest_u64 = UINT64_MAX;
static int64_t largest_s64 = INT64_MAX;
static int64_t smallest_s64 = INT64_MIN;

#define CHECK_SCALAR(name, type, ...)                                                                  \
  do {                                                                                                 \
    type cases[] = {__VA_ARGS__};                                                                      \
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {                                      \
      check(#name, test_matrix_values_echo_##name(cases[i]) == cases[i]);                              \
    }                                                                                                  \
  } while (0)

#define CHECK_FLOAT(name, type, ...)                                                                   \
  do {                                                                                                 \
    type cases[] = {__VA_ARGS__};                                                                      \
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {                                      \
      check(#name, same_float(test_matrix_values_echo_##name(cases[i]), cases[i]));                    \
    }                                                                                                  \
  } while (0)

// Lists of plain numbers: the same bytes come back.
#define CHECK_LIST(name, list, elements, count)                                                        \
  do {                                                                                                 \
    list given, found;                                                                                 \
    given.ptr = (elements);                                                                            \
    given.len = (count);                                                                               \
    test_matrix_values_echo_##name(&given, &found);                                                    \
    check(#name, found.len == given.len);                                                              \
    check(#name, given.len == 0 || memcmp(found.ptr, given.ptr, given.len * sizeof *given.ptr) == 0);  \
    list##_release(&found);                                                                            \
  } while (0)

#define lp_node_list_u8_t_release lp_node_list_u8_free
#define lp_node_list_u32_t_release lp_node_list_u32_free
#define lp_node_list_s64_t_release lp_node_list_s64_free
#define lp_node_list_f64_t_release lp_node_list_f64_free

static void check_numbers(void) {
  CHECK_SCALAR(bool, bool, false, true);
  CHECK_SCALAR(u8, uint8_t, 0, UINT8_MAX);
  CHECK_SCALAR(s8, int8_t, INT8_MIN, INT8_MAX);
  CHECK_SCALAR(u16, uint16_t, 0, UINT16_MAX);
  CHECK_SCALAR(s16, int16_t, INT16_MIN, INT16_MAX);
  CHECK_SCALAR(u32, uint32_t, 0, largest_u32);
  CHECK_SCALAR(s32, int32_t, INT32_MIN, INT32_MAX);
  CHECK_SCALAR(u64, uint64_t, 0, largest_u64);
  CHECK_SCALAR(s64, int64_t, smallest_s64, largest_s64);
  CHECK_SCALAR(char, uint32_t, 'a', 0, 0xdf, 0x1f980, 0x10ffff);
  CHECK_SCALAR(colour, test_matrix_values_colour_t, 0, 1, 2);
  CHECK_SCALAR(few, test_matrix_values_few_t, 0, 2, 5);
  CHECK_SCALAR(many, test_matrix_values_many_t, 0, 1u << 31, UINT32_MAX);
  CHECK_FLOAT(f32, float, 0.0f, -0.0f, 1.5f, INFINITY, -INFINITY, NAN);
  CHECK_FLOAT(f64, double, 5e-324, -1.7976931348623157e308, INFINITY, -INFINITY, NAN);
  uint32_t value;
  for (uint32_t given = 0; given < 8; given += 7) {
    check("option", test_matrix_values_echo_option(&given, &value) && value == given);
  }
  check("option", !test_matrix_values_echo_option(NULL, &value));
}

static void check_lists(void) {
  enum { LARGE = 1 << 20 };
  uint8_t *bytes = (uint8_t *)malloc(LARGE);
  // No number of four of them is larger than the largest of 32 bits with a sign.
  for (size_t i = 0; i < LARGE; i++) bytes[i] = (uint8_t)(i % 128);
  CHECK_LIST(bytes, lp_node_list_u8_t, bytes, 0);
  CHECK_LIST(bytes, lp_node_list_u8_t, bytes, LARGE);
  CHECK_LIST(u32s, lp_node_list_u32_t, (uint32_t *)bytes, LARGE / 4);
  int64_t limits[] = {smallest_s64, largest_s64};
  CHECK_LIST(s64s, lp_node_list_s64_t, limits, 2);
  double floats[] = {0.0, -0.0, -INFINITY};
  CHECK_LIST(f64s, lp_node_list_f64_t, floats, 3);

  const char *texts[] = {"", "gr\xc3\xbc\xc3\x9f"
                             "e \xf0\x9f\xa6\x80"};
  for (size_t i = 0; i < 2; i++) {
    lp_node_string_t given = lp_text(texts[i]), found;
    test_matrix_values_echo_string(&given, &found);
    check("string", same_text(given, found));
    lp_node_string_free(&found);
  }
  memset(bytes, 'x', LARGE);
  lp_node_string_t large = {bytes, LARGE}, found_text;
  test_matrix_values_echo_string(&large, &found_text);
  check("string", same_text(large, found_text));
  lp_node_string_free(&found_text);

  lp_node_string_t strings[] = {lp_text(""), lp_text("a"), lp_text("\xf0\x9f\xa6\x80")};
  lp_node_list_string_t given = {strings, 3}, found;
  test_matrix_values_echo_strings(&given, &found);
  check("strings", found.len == 3);
  for (size_t i = 0; i < 3; i++) check("strings", same_text(found.ptr[i], strings[i]));
  lp_node_list_string_free(&found);

  uint16_t inner[] = {1, 65535};
  lp_node_list_u16_t outer[] = {{inner, 0}, {inner, 2}, {inner, 0}};
  lp_node_list_list_u16_t lists = {outer, 3}, found_lists;
  test_matrix_values_echo_lists(&lists, &found_lists);
  check("lists", found_lists.len == 3 && found_lists.ptr[0].len == 0 && found_lists.ptr[1].len == 2);
  check("lists", memcmp(found_lists.ptr[1].ptr, inner, sizeof inner) == 0);
  lp_node_list_list_u16_free(&found_lists);

  lp_node_option_bool_t flags[3] = {{false, false}, {true, true}, {true, false}};
  lp_node_list_option_bool_t options = {flags, 3}, found_options;
  test_matrix_values_echo_options(&options, &found_options);
  check("options", found_options.len == 3 && !found_options.ptr[0].is_some && found_options.ptr[1].val);
  check("options", found_options.ptr[2].is_some && !found_options.ptr[2].val);
  lp_node_list_option_bool_free(&found_options);
  free(bytes);
}

static test_matrix_values_sample_t sample(lp_node_string_t *tags, size_t count) {
  test_matrix_values_sample_t sample;
  sample.name = lp_text("n\xc3\xa4me");
  sample.id = largest_u64;
  sample.at.x = 0.5;
  sample.at.y = -1e300;
  sample.tags.ptr = tags;
  sample.tags.len = count;
  sample.note.is_some = count > 0;
  sample.note.val = lp_text("note");
  return sample;
}

static void check_records(void) {
  lp_node_string_t tags[] = {lp_text(""), lp_text("b")};
  test_matrix_values_sample_t samples[] = {sample(tags, 2), sample(tags, 0)};
  for (size_t i = 0; i < 2; i++) {
    test_matrix_values_sample_t found;
    test_matrix_values_echo_sample(&samples[i], &found);
    check("sample", same_sample(samples[i], found));
    test_matrix_values_sample_free(&found);
  }
  test_matrix_values_point_t point = {0.5, -0.0}, found_point;
  test_matrix_values_echo_point(&point, &found_point);
  check("point", same_point(point, found_point));

  float weights[] = {1.5f, -0.0f};
  test_matrix_values_batch_t batch = {{samples, 2}, {weights, 2}}, found;
  test_matrix_values_echo_batch(&batch, &found);
  check("batch", found.samples.len == 2 && found.weights.len == 2);
  check("batch", same_sample(samples[0], found.samples.ptr[0]) && same_sample(samples[1], found.samples.ptr[1]));
  check("batch", memcmp(found.weights.ptr, weights, sizeof weights) == 0);
  test_matrix_values_batch_free(&found);

  lp_node_tuple3_u8_string_f32_t tuple = {255, lp_text("\xc3\xa9"), 0.25f}, found_tuple;
  test_matrix_values_echo_tuple(&tuple, &found_tuple);
  check("tuple", found_tuple.f0 == 255 && same_text(found_tuple.f1, tuple.f1) && found_tuple.f2 == 0.25f);
  lp_node_tuple3_u8_string_f32_free(&found_tuple);

  lp_node_tuple2_string_u32_t pair[] = {{lp_text("a"), 1}, {lp_text(""), largest_u32}};
  lp_node_list_tuple2_string_u32_t pairs = {pair, 2}, found_pairs;
  test_matrix_values_echo_pairs(&pairs, &found_pairs);
  check("pairs", found_pairs.len == 2 && same_text(found_pairs.ptr[0].f0, pair[0].f0) && found_pairs.ptr[0].f1 == 1);
  check("pairs", found_pairs.ptr[1].f0.len == 0 && found_pairs.ptr[1].f1 == largest_u32);
  lp_node_list_tuple2_string_u32_free(&found_pairs);

  uint64_t largest = largest_u64;
  lp_node_list_u8_t bytes = {(uint8_t *)tags, sizeof tags};
  lp_node_tuple5_u8_string_f64_option_u64_list_u8_t mixed;
  test_matrix_values_echo_mixed(255, &tags[1], -0.0, &largest, &bytes, &mixed);
  check("mixed", mixed.f0 == 255 && same_text(mixed.f1, tags[1]) && same_float(mixed.f2, -0.0));
  check("mixed", mixed.f3.is_some && mixed.f3.val == largest && memcmp(mixed.f4.ptr, tags, sizeof tags) == 0);
  lp_node_tuple5_u8_string_f64_option_u64_list_u8_free(&mixed);
}

static void check_cases(void) {
  test_matrix_values_point_t points[] = {{0.5, -1e300}};
  test_matrix_values_shape_t shapes[4];
  for (uint8_t tag = 0; tag < 4; tag++) shapes[tag].tag = tag;
  shapes[TEST_MATRIX_VALUES_SHAPE_CIRCLE].val.circle = 2.5;
  shapes[TEST_MATRIX_VALUES_SHAPE_POLYGON].val.polygon.ptr = points;
  shapes[TEST_MATRIX_VALUES_SHAPE_POLYGON].val.polygon.len = 1;
  shapes[TEST_MATRIX_VALUES_SHAPE_NAMED].val.named = lp_text("\xc3\xa9");
  for (size_t i = 0; i < 4; i++) {
    test_matrix_values_shape_t found;
    test_matrix_values_echo_shape(&shapes[i], &found);
    check("shape", same_shape(shapes[i], found));
    test_matrix_values_shape_free(&found);
  }
  test_matrix_values_list_shape_t list = {shapes, 4}, found_list;
  test_matrix_values_echo_shapes(&list, &found_list);
  check("shapes", found_list.len == 4);
  for (size_t i = 0; i < 4; i++) check("shapes", same_shape(shapes[i], found_list.ptr[i]));
  test_matrix_values_list_shape_free(&found_list);

  lp_node_option_string_t nested[] = {{false, lp_text("")}, {true, lp_text("")}, {true, lp_text("x")}}, found;
  check("nested-option", !test_matrix_values_echo_nested_option(NULL, &found));
  for (size_t i = 0; i < 3; i++) {
    check("nested-option", test_matrix_values_echo_nested_option(&nested[i], &found));
    check("nested-option", found.is_some == nested[i].is_some && (!found.is_some || same_text(found.val, nested[i].val)));
    lp_node_option_string_free(&found);
  }

  lp_node_string_t fine = lp_text("fine"), ok;
  test_matrix_values_colour_t err;
  check("result", test_matrix_values_echo_result(true, &fine, &ok, &err) && same_text(fine, ok));
  lp_node_string_free(&ok);
  check("result", !test_matrix_values_echo_result(false, &fine, &ok, &err));
  check("result", err == TEST_MATRIX_VALUES_COLOUR_BLUE);

  test_matrix_values_result_u32_string_t results[2];
  results[0].is_err = false;
  results[0].val.ok = 7;
  results[1].is_err = true;
  results[1].val.err = lp_text("why");
  test_matrix_values_list_result_u32_string_t given = {results, 2}, found_results;
  test_matrix_values_echo_results(&given, &found_results);
  check("results", found_results.len == 2 && !found_results.ptr[0].is_err && found_results.ptr[0].val.ok == 7);
  check("results", found_results.ptr[1].is_err && same_text(found_results.ptr[1].val.err, results[1].val.err));
  test_matrix_values_list_result_u32_string_free(&found_results);
}

bool exports_wasi_cli_run_run(void) {
  check_numbers();
  check_lists();
  check_records();
  check_cases();
  uint8_t text[] = {'a', 'b', 'c', 'a'};
  lp_node_list_u8_t bytes = {text, 4};
  check("count", test_matrix_values_count(&bytes, 'a') == 2);
  test_matrix_values_nothing();
  printf("every value came back\n");
  lp_node_program_stop();
  return true;
}
