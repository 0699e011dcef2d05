# What `just` lists; scripts/test is the whole of it.

# Runs everything that CI runs.
test:
    scripts/test

# Runs the cases and tests whose names hold NAME.
case NAME:
    cargo nextest run {{ NAME }}

# Writes the outputs that came into the cases; the diff is the review.
accept:
    UPDATE=1 cargo nextest run --test cases
    git diff --stat testdata README.md grammar/case.md
