/* Mutations of an input, and, where there is no libFuzzer, a main that makes them until the time is over. */
#ifndef FASTLOG_MUTATE_H
#define FASTLOG_MUTATE_H

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* What a log is made of. The noon of fuzz_fold.c lies among the stamps. */
static const char *const TOKENS[] = {
    "192.0.2.1 - - [09/May/2018:12:00:00 +0000] \"GET /a/b HTTP/1.1\" 200 10\n",
    "192.0.2.1 - - [09/May/2018:12:00:01 +0000] \"POST /b?q HTTP/1.1\" 404 - \"-\" \"curl\"\n",
    "www.example:80 192.0.2.1 - - [09/May/2018:11:59:57 +0000] \"GET / HTTP/1.1\" 500 7\n",
    "www.example:80 h i u u [09/May/2018:12:00:09 +0000] \"HEAD /c HTTP/1.1\" 301 7 \"http://h/\" \"a b\"\n",
    "h - - [09/May/2018:12:00:00 +0000] \"GET http://h.example:80/a/b HTTP/1.1\" 200 999999999999999999\n",
    "h - - [09/May/2018:12:00:00 +0000] \"GET /a \\\" 200 5 \\\\\" 200 5 \"a \\\" b\" \"c\" d\" x\n",
    "h - - [09/May/2018:13:00:60 -0130] \"-\" 200 5 - \"-\"\r\n",
    "h - - [09/May/2018:12:00:00 +0000] \"G /a\" 200 5\n",
    "h - a [b] c [31/Apr/2018:12:00:00 +0000] \"G /a\" 200 5\n", "h - - [2018-05-09T12:00:00Z] \"G /a\" 200 5\n", "\n \t\n",
    "[09/May/2018:12:00:00 +0000]", " [09/May/2018:11:59:00 +0000] ", " [29/Feb/2000:00:00:00 -2359] ",
    "09/may/2018", "10/May/2018", "31/Dec/9999", "01/Jan/0001", ":12:00:0", ":13:0", " +0100", "\" 200 5", "\" 200 5 \"",
    "\" \"", "\" -", "\" - \"", "\"\"", "\\\"", "\\\\", "\"", "\\", " ", "\n", "\r\n", "\r", "GET /", "POST /", "LONGEST /",
    "ABCDEFGH /", "-_ /", "G /", "/", "//", "?", "#", "http://", "://", "GET *", " - ", " - - [", " [", "] ", "-", "0", "9",
    "000000000000000000", "1234567", "12345678", "/abcdefghijklmn", "/abcdefghijklmno", "/abcdefghijklmnop/", "\x01s\x40",
    "\x01\"\x60", "\x01\\\x31", "\x01s\xaf", "\x01 \x21", "\x01[\x18", "\x01/\x30", "\xff", "\x80",
};

static uint64_t next_random(uint64_t *state) { /* splitmix64, Steele, Lea and Flood 2014 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t bound) { return (size_t)(next_random(state) % bound); }

/* Put `more` bytes in at `at`, as many as there is room for. */
static size_t insert(uint8_t *data, size_t size, size_t most, size_t at, const uint8_t *bytes, size_t more) {
    if (more > most - size)
        more = most - size;
    memmove(data + at + more, data + at, size - at);
    memcpy(data + at, bytes, more);
    return size + more;
}

/* Flip a bit, cut, repeat, copy from elsewhere, or put a token in: the new size. */
static size_t mutated(uint8_t *data, size_t size, size_t most, uint64_t *state) {
    uint8_t piece[256];
    size_t at = below(state, size + 1), n = below(state, 100);
    if (n > size - at)
        n = size - at;
    switch (below(state, 8)) {
    case 0:
        if (n)
            data[at] ^= (uint8_t)(1u << below(state, 8));
        return size;
    case 1:
        if (n)
            data[at] = (uint8_t)next_random(state);
        return size;
    case 2:
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 3:
        memcpy(piece, data + at, n);
        return insert(data, size, most, below(state, size + 1), piece, n);
    case 4:
        if (size)
            data[below(state, size < 10 ? size : 10)] = (uint8_t)next_random(state);
        return size;
    default: {
        const char *token = TOKENS[below(state, sizeof TOKENS / sizeof *TOKENS)];
        return insert(data, size, most, at, (const uint8_t *)token, strlen(token));
    }
    }
}

#ifdef FUZZ_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    uint64_t state = seed;
    return below(&state, 3) ? mutated(data, size, most, &state) : LLVMFuzzerMutate(data, size, most);
}

#else

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POOL 256
#define MOST_INPUT 4096
#define MOST_SECONDS 20 /* an input that takes longer is a finding */

typedef struct {
    uint8_t data[MOST_INPUT];
    size_t size;
} specimen;

static specimen pool[POOL], at_hand;
static size_t pooled;
static int left_behind;

/* Run the input at hand. Whatever ends the process, the input is left behind in a file. */
static void run(void) {
    if (pwrite(left_behind, at_hand.data, at_hand.size, 0) < 0 || ftruncate(left_behind, (off_t)at_hand.size))
        exit(2);
    alarm(MOST_SECONDS);
    LLVMFuzzerTestOneInput(at_hand.data, at_hand.size);
}

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(2);
    at_hand.size = fread(at_hand.data, 1, MOST_INPUT, file);
    fclose(file);
    run();
    if (pooled < POOL)
        pool[pooled++] = at_hand;
}

static void run_directory(const char *path) {
    char name[512];
    DIR *directory = opendir(path);
    if (!directory)
        exit(2);
    for (struct dirent *entry; (entry = readdir(directory));) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            run_file(name);
    }
    closedir(directory);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise) {
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], name, strlen(name)))
            return argv[i] + strlen(name);
    return otherwise;
}

static void mutate_until(time_t until, long runs, uint64_t seed) {
    long done = 0;
    uint64_t state = seed;
    if (!pooled)
        pooled = 1; /* the empty input */
    for (; done != runs && time(NULL) < until; done++) {
        at_hand = pool[below(&state, pooled)];
        for (size_t times = 1 + below(&state, 6); times; times--)
            at_hand.size = mutated(at_hand.data, at_hand.size, MOST_INPUT, &state);
        run();
        if (!below(&state, 8)) /* no coverage tells what is of interest: the pool drifts */
            pool[pooled < POOL ? pooled++ : below(&state, POOL)] = at_hand;
    }
    fprintf(stderr, "no libFuzzer: %ld blind mutations, seed %lu: nothing found\n", done, seed);
}

/* Run files once each; where directories are given, mutate what is in them, by the arguments of libFuzzer. */
int main(int argc, char **argv) {
    struct stat what;
    int mutates = 0;
    char name[512];
    snprintf(name, sizeof name, "%scrash", option(argc, argv, "-artifact_prefix=", ""));
    left_behind = open(name, O_RDWR | O_CREAT, 0644);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        if (stat(argv[i], &what))
            return 2;
        if (S_ISDIR(what.st_mode))
            mutates = 1, run_directory(argv[i]);
        else
            run_file(argv[i]);
    }
    if (mutates)
        mutate_until(time(NULL) + atol(option(argc, argv, "-max_total_time=", "60")),
                     atol(option(argc, argv, "-runs=", "-1")), strtoull(option(argc, argv, "-seed=", "1"), NULL, 10));
    return unlink(name) != 0;
}

#endif
#endif
