/* Where the quotes and newlines of a buffer are.
 *
 * fl_index writes the offsets of all '"' and '\n', in order: the only bytes that the
 * line parser needs to find. AVX2 is chosen at run time, SSE2 is there on every
 * x86-64, NEON on every arm64; elsewhere a loop. No version reads a byte outside of
 * the buffer: whole blocks of 64 bytes are taken at once, the rest one by one.
 */
#ifndef FASTLOG_SCAN_H
#define FASTLOG_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define FL_X86 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define FL_NEON 1
#endif

/* Offsets past the last one that may be written to, too. */
#define FL_INDEX_SLACK 64

static inline size_t fl_index_rest(const uint8_t *data, size_t from, size_t length, uint32_t base,
                                   uint32_t *out) {
    size_t n = 0;
    for (size_t i = from; i < length; i++)
        if (data[i] == '"' || data[i] == '\n')
            out[n++] = base + (uint32_t)i;
    return n;
}

/* Four are written without a question, since most blocks hold no more: no branch to mispredict. */
#define FL_FLATTEN(mask, count, trailing, clear)                                                    \
    do {                                                                                            \
        size_t found_ = (size_t)(count);                                                            \
        uint32_t *to_ = out + n;                                                                    \
        for (int k_ = 0; k_ < 4; k_++) {                                                            \
            to_[k_] = base + (uint32_t)i + (uint32_t)(trailing);                                    \
            clear;                                                                                  \
        }                                                                                           \
        for (size_t k_ = 4; k_ < found_; k_++) {                                                    \
            to_[k_] = base + (uint32_t)i + (uint32_t)(trailing);                                    \
            clear;                                                                                  \
        }                                                                                           \
        n += found_;                                                                                \
    } while (0)

#ifdef FL_X86
__attribute__((target("avx2,bmi,popcnt"))) static size_t
fl_index_avx2(const uint8_t *data, size_t length, uint32_t base, uint32_t *out) {
    const __m256i quote = _mm256_set1_epi8('"'), newline = _mm256_set1_epi8('\n');
    size_t n = 0, i = 0;
    for (; i + 64 <= length; i += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(data + i));
        __m256i high = _mm256_loadu_si256((const __m256i *)(data + i + 32));
        low = _mm256_or_si256(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(low, newline));
        high = _mm256_or_si256(_mm256_cmpeq_epi8(high, quote), _mm256_cmpeq_epi8(high, newline));
        uint64_t mask = (uint32_t)_mm256_movemask_epi8(low) |
                        (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
        FL_FLATTEN(mask, _mm_popcnt_u64(mask), _tzcnt_u64(mask), mask = _blsr_u64(mask));
    }
    return n + fl_index_rest(data, i, length, base, out + n);
}

static size_t fl_index_sse2(const uint8_t *data, size_t length, uint32_t base, uint32_t *out) {
    const __m128i quote = _mm_set1_epi8('"'), newline = _mm_set1_epi8('\n');
    size_t n = 0, i = 0;
    for (; i + 64 <= length; i += 64) {
        uint64_t mask = 0;
        for (int part = 0; part < 4; part++) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(data + i + 16 * part));
            bytes = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, newline));
            mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << (16 * part);
        }
        FL_FLATTEN(mask, __builtin_popcountll(mask), mask ? __builtin_ctzll(mask) : 0, mask &= mask - 1);
    }
    return n + fl_index_rest(data, i, length, base, out + n);
}
#endif

#ifdef FL_NEON
static size_t fl_index_neon(const uint8_t *data, size_t length, uint32_t base, uint32_t *out) {
    const uint8x16_t quote = vdupq_n_u8('"'), newline = vdupq_n_u8('\n');
    size_t n = 0, i = 0;
    for (; i + 16 <= length; i += 16) {
        uint8x16_t bytes = vld1q_u8(data + i);
        uint8x16_t hits = vorrq_u8(vceqq_u8(bytes, quote), vceqq_u8(bytes, newline));
        /* Four bits a byte: the narrowest mask that NEON gives without a table. */
        uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hits), 4)), 0);
        for (mask &= 0x1111111111111111u; mask; mask &= mask - 1)
            out[n++] = base + (uint32_t)i + (uint32_t)(__builtin_ctzll(mask) >> 2);
    }
    return n + fl_index_rest(data, i, length, base, out + n);
}
#endif

typedef size_t (*fl_indexer)(const uint8_t *, size_t, uint32_t, uint32_t *);

static size_t fl_index_plain(const uint8_t *data, size_t length, uint32_t base, uint32_t *out) {
    return fl_index_rest(data, 0, length, base, out);
}

/* The fastest indexer that this processor has; `name` is set to what it is called. */
static inline fl_indexer fl_best_indexer(const char **name) {
#if defined(FL_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt")) {
        *name = "avx2";
        return fl_index_avx2;
    }
    *name = "sse2";
    return fl_index_sse2;
#elif defined(FL_NEON)
    *name = "neon";
    return fl_index_neon;
#else
    *name = "plain";
    return fl_index_plain;
#endif
}

/* Little-endian loads of unaligned bytes. Where the machine is big-endian, bytes are swapped. */
static inline uint64_t fl_load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint32_t fl_load32(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* A bit for each of 32 bytes that is `byte`. */
static inline uint32_t fl_mask32(const uint8_t *p, uint8_t byte) {
#ifdef FL_X86
    const __m128i wanted = _mm_set1_epi8((char)byte);
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), wanted);
    __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 16)), wanted);
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
#else
    uint32_t mask = 0;
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)(p[i] == byte) << i;
    return mask;
#endif
}

/* Offset of the first ' ', '/', '?' or '#' in 16 bytes; 16 where there is none. */
static inline unsigned fl_section_end(const uint8_t *p) {
#ifdef FL_X86
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    __m128i ends = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'))),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('?')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#'))));
    return (unsigned)__builtin_ctz((uint32_t)_mm_movemask_epi8(ends) | 1u << 16);
#else
    for (unsigned i = 0; i < 16; i++)
        if (p[i] == ' ' || p[i] == '/' || p[i] == '?' || p[i] == '#')
            return i;
    return 16;
#endif
}

#endif
