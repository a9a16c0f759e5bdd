"""The study of slopes: the error of a terrain's slope at the rim of a map."""
