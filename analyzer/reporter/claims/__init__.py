"""The claims of the article the project grew out of, held against captures; and HTTP/1.1 measured against HTTP/2."""
