fn main() {
    sqlrev::build::embed("migrations");
}
