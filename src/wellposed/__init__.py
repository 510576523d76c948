"""wellposed: is your program well posed?"""
