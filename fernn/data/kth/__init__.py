"""The KTH actions: archives of video and their annotations, fetched, verified and decoded.

Christian Schuldt, Ivan Laptev, Barbara Caputo, "Recognizing human actions: a local SVM approach", ICPR 2004. Free for
non-commercial use; it may not be passed on, so no video of it is part of this project.
"""
